import { Readable, Writable } from "node:stream";
import type { BlobAccess } from "../driver.ts";
import type { Trial } from "../trial.ts";
import { timeBulk } from "./bulk.ts";

const BYTES = 256 * 2 ** 20;
const CHUNK = 64 * 1024;

/** The source gives the same chunk again and again, so that no garbage but the driver's is collected. */
const chunk = Buffer.alloc(CHUNK, 1);

const ways: readonly {
  name: string;
  title: string;
  description: string;
  move(blob: BlobAccess): Promise<void>;
}[] = [
  {
    name: "blob-read",
    title: "Read 256 MB as a stream",
    description: "One value of 256 MB, read by a Node stream in chunks of 64 KB; the bytes are counted.",
    move: async (blob) => {
      let bytes = 0;
      const sink = new Writable({
        highWaterMark: CHUNK,
        write: (given: Buffer, _encoding, done) => {
          bytes += given.length;
          done();
        },
      });
      await blob.readInto(sink);
      if (bytes !== BYTES) throw new Error(`${bytes} bytes read`);
    },
  },
  {
    name: "blob-write",
    title: "Write 256 MB as a stream",
    description:
      "One value of 256 MB, overwritten by a Node stream in chunks of 64 KB; it is on the disk at the end (a commit, or fsync).",
    move: async (blob) => {
      let left = BYTES;
      const source = new Readable({
        highWaterMark: CHUNK,
        read(): void {
          this.push(left === 0 ? null : chunk);
          left -= CHUNK;
        },
      });
      await blob.writeFrom(source);
    },
  },
];

export const blobStreams: readonly Trial[] = ways.map(({ name, title, description, move }) => ({
  name,
  title,
  description,
  dataset: "scratch",
  writes: true,
  settings: { synchronous: "FULL", callers: 1 },
  needs: ["blob"],
  alsoDrivers: ["node-files"],
  maxRounds: 3,
  columns: ["stallMs", "longestStallMs", "longestPauseMs", "wallMs", "cpuSeconds", "peakRssMb"],
  async run({ open }) {
    const { blob } = await open();
    await blob!.make(BYTES);
    return timeBulk({ repeats: 3, work: () => move(blob!) });
  },
}));
