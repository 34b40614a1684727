// Loaded into TypeORM's own tests: what they run as type better-sqlite3 is run as type expo, with this package's driver.
const { join } = require("node:path");
const { DriverFactory } = require(join(process.cwd(), "build/compiled/src/driver/DriverFactory"));
const { driver } = require("../../dist/typeorm.cjs");

const { create } = DriverFactory.prototype;
DriverFactory.prototype.create = function (dataSource) {
  const { options } = dataSource;
  if (options.type === "better-sqlite3")
    Object.assign(dataSource, { options: { ...options, type: "expo", driver } });
  return create.call(this, dataSource);
};
