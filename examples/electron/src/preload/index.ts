import { createBridge } from "@sqlite-aio/core/electron/preload";
import { contextBridge, ipcRenderer } from "electron";

contextBridge.exposeInMainWorld("flights", createBridge(ipcRenderer));
