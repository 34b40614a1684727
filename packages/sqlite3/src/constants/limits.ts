/** The limits of `configure("limit", id, value)`; see https://sqlite.org/c3ref/c_limit_attached.html. */
export const LIMIT_LENGTH: number = 0;
export const LIMIT_SQL_LENGTH: number = 1;
export const LIMIT_COLUMN: number = 2;
export const LIMIT_EXPR_DEPTH: number = 3;
export const LIMIT_COMPOUND_SELECT: number = 4;
export const LIMIT_VDBE_OP: number = 5;
export const LIMIT_FUNCTION_ARG: number = 6;
export const LIMIT_ATTACHED: number = 7;
export const LIMIT_LIKE_PATTERN_LENGTH: number = 8;
export const LIMIT_VARIABLE_NUMBER: number = 9;
export const LIMIT_TRIGGER_DEPTH: number = 10;
export const LIMIT_WORKER_THREADS: number = 11;
