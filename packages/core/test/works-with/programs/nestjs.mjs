// A NestJS application with a pool as a provider, closed with the application.
import "reflect-metadata";
import { Body, Controller, Get, Inject, Injectable, Module, Post } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { createPool } from "@sqlite-aio/core";

const POOL = Symbol("pool");

/** What decorators do, without a compiler for them. */
function decorate(target, name, decorator) {
  decorator(target.prototype, name, Object.getOwnPropertyDescriptor(target.prototype, name));
}

class Notes {
  constructor(pool) {
    this.pool = pool;
  }
  all() {
    return this.pool.all("SELECT text FROM note");
  }
  add(text) {
    return this.pool.transaction((tx) => tx.run("INSERT INTO note (text) VALUES (?)", [text]));
  }
  async onApplicationShutdown() {
    await this.pool.close();
  }
}
Injectable()(Notes);
Inject(POOL)(Notes, undefined, 0);

class NotesController {
  constructor(notes) {
    this.notes = notes;
  }
  list() {
    return this.notes.all();
  }
  add(body) {
    return this.notes.add(body.text);
  }
}
Controller("notes")(NotesController);
Inject(Notes)(NotesController, undefined, 0);
decorate(NotesController, "list", Get());
decorate(NotesController, "add", Post());
Body()(NotesController.prototype, "add", 0);

// oxlint-disable-next-line typescript/no-extraneous-class -- as NestJS has modules
class AppModule {}
Module({
  controllers: [NotesController],
  providers: [
    {
      provide: POOL,
      useFactory: async () => {
        const pool = await createPool("nest.db");
        await pool.exec("CREATE TABLE note (text TEXT)");
        return pool;
      },
    },
    Notes,
  ],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: ["error"] });
await app.listen(0);
const url = `http://localhost:${app.getHttpServer().address().port}/notes`;
const body = JSON.stringify({ text: "hello" });
const headers = { "content-type": "application/json" };
const added = await (await fetch(url, { method: "POST", headers, body })).json();
const notes = await (await fetch(url)).json();
const pool = app.get(POOL);
app.getHttpServer().closeAllConnections();
await app.close();
const closed = await pool.get("SELECT 1").catch((error) => error.message);
console.log(JSON.stringify({ added, notes, closed }));
