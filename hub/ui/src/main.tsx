// Where the page begins.
import { render } from "preact";
import { listenToKeys } from "./app/commands.ts";
import { overlay } from "./app/overlays.ts";
import { followLinks } from "./app/route.ts";
import { fetchViewsAhead, registerShellCommands, Shell } from "./app/shell.tsx";
import { viewAt } from "./app/views.ts";
import { live } from "./live/connection.ts";

live.start();
followLinks((path) => viewAt(path) !== null);
registerShellCommands();
listenToKeys(() => overlay.value !== null);
render(<Shell />, document.getElementById("app")!);
fetchViewsAhead();
