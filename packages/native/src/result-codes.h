/* The names of SQLite's result codes, https://sqlite.org/rescode.html. */
#ifndef SQLITE_AIO_RESULT_CODES_H
#define SQLITE_AIO_RESULT_CODES_H

#define UNKNOWN_CODE_ROOM 40

/* `room` is for the name of a code that is newer than this file. */
const char *name_of_code(int code, char room[UNKNOWN_CODE_ROOM]);

#endif
