"use strict";
const { DataTypes, Op, Sequelize } = require("sequelize");

module.exports = async (said) => {
  const sequelize = new Sequelize({ dialect: "sqlite", storage: "sequelize.db", logging: false });
  const Account = sequelize.define("account", {
    name: { type: DataTypes.STRING, unique: true, allowNull: false },
    balance: { type: DataTypes.INTEGER, defaultValue: 0 },
    opened: DataTypes.DATE,
    picture: DataTypes.BLOB,
    settings: DataTypes.JSON,
  });
  const Entry = sequelize.define("entry", { amount: DataTypes.INTEGER });
  Account.hasMany(Entry);
  Entry.belongsTo(Account);
  await sequelize.sync();
  const opened = new Date(Date.UTC(2020, 1, 2, 3, 4, 5, 678));
  const ann = await Account.create({
    name: "Ann",
    balance: 10,
    opened,
    picture: Buffer.from("face"),
    settings: { dark: true },
  });
  const [bob, cid] = await Account.bulkCreate([{ name: "Bob" }, { name: "Cid", balance: 3 }]);
  said.ids = [ann.id, bob.id, cid.id];
  said.increased = (await Account.update({ balance: 3 }, { where: { name: ["Bob", "Cid"] } }))[0];
  await ann.createEntry({ amount: 10 });
  const found = await Account.findOne({ where: { name: "Ann" }, include: Entry });
  said.found = [
    found.id,
    found.opened.getTime() === opened.getTime(),
    String(found.picture),
    found.settings,
    found.entries.length,
  ];
  said.duplicate = await Account.create({ name: "Ann" }).catch((error) => [error.name, error.parent.code]);
  said.rolledBack = await sequelize
    .transaction(async (transaction) => {
      await Account.increment({ balance: 5 }, { where: { name: "Bob" }, transaction });
      throw new Error("changed my mind");
    })
    .catch((error) => error.message);
  await sequelize.transaction(async (transaction) => {
    await Account.update({ balance: 7 }, { where: { balance: { [Op.lt]: 5 } }, transaction });
  });
  said.balances = (await Account.findAll({ order: ["name"] })).map(({ balance }) => balance);
  said.indexes = (await sequelize.getQueryInterface().showIndex("accounts")).map(({ unique }) => unique);
  await sequelize.close();
};
