import { showDepartures } from "./departures.ts";
import { report } from "./dom.ts";
import { offerImport } from "./import.ts";
import { showSaved } from "./saved.ts";
import { refresh } from "./search.ts";

showSaved().catch(report);
showDepartures(refresh).catch(report);
offerImport();
