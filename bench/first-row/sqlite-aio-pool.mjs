import { createPool } from "../../packages/core/dist/index.mjs";
import { file, said, SQL } from "./question.mjs";

const pool = await createPool(file);
const row = await pool.get(SQL, [1]);
said(row.name);
await pool.close();
