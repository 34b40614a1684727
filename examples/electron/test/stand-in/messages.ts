/** What a page and the user do to the app. */
export type ToApp =
  | { type: "invoke"; id: number; channel: string; args: unknown[] }
  | { type: "send"; channel: string; args: unknown[] }
  | { type: "post"; channel: string; message: unknown; port: number }
  | PortMessage
  | { type: "loaded" }
  | { type: "close" };

/** What the app does to a page. */
export type ToPage =
  | { type: "answer"; id: number; value: unknown }
  | { type: "refusal"; id: number; message: string }
  | PortMessage;

export type PortMessage =
  | { type: "port-message"; port: number; data: unknown }
  | { type: "port-close"; port: number };

/** What the app says. */
export type FromApp =
  | ToPage
  | { type: "window"; url: string; preload: string; webPreferences: Record<string, unknown> }
  | { type: "window-closed" }
  /** The app is gone: what it went through to quit, and what it leaves in userData. */
  | { type: "quit"; log: string[]; left: string[] };
