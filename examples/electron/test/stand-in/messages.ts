/** Messages from a page and from the user to the app. */
export type ToApp =
  | { type: "invoke"; id: number; channel: string; args: unknown[] }
  | { type: "send"; channel: string; args: unknown[] }
  | { type: "post"; channel: string; message: unknown; port: number }
  | PortMessage
  | { type: "loaded" }
  | { type: "close" };

/** Messages from the app to a page. */
export type ToPage =
  | { type: "answer"; id: number; value: unknown }
  | { type: "refusal"; id: number; message: string }
  | PortMessage;

export type PortMessage =
  | { type: "port-message"; port: number; data: unknown }
  | { type: "port-close"; port: number };

/** Messages from the app. */
export type FromApp =
  | ToPage
  | { type: "window"; url: string; preload: string; webPreferences: Record<string, unknown> }
  | { type: "window-closed" }
  /** The app has ended: the events of its quit, and the files left in userData. */
  | { type: "quit"; log: string[]; left: string[] };
