// A bundled program looks for the thread's file beside its own: under a name that none of the program's files has, or
// the thread would run the program again.
import "./entry.js";
