import { connect } from "../../packages/core/dist/index.mjs";
import { file, said, SQL } from "./question.mjs";

const db = await connect(file);
const [row] = await db.executeFetchall(SQL, [1]);
said(row[1]);
db.close();
