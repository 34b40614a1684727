"use strict";
// Runs one of the programs in a folder of its own, and prints what it said.
const said = {};
require(process.argv[2])(said).then(
  () => console.log(JSON.stringify(said)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
