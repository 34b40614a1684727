// Reads the tables of a shared library: ELF, Mach-O or PE, 64 bit, little endian.
import { readFileSync } from "node:fs";

function textAt(bytes, offset) {
  return bytes.toString("latin1", offset, bytes.indexOf(0, offset));
}

function readElf(bytes) {
  const machine = { 62: "x64", 183: "arm64" }[bytes.readUInt16LE(18)];
  const sections = [];
  const first = Number(bytes.readBigUInt64LE(40));
  for (let i = 0; i < bytes.readUInt16LE(60); i++) {
    const at = first + i * bytes.readUInt16LE(58);
    const word = (offset) => Number(bytes.readBigUInt64LE(at + offset));
    sections.push({
      type: bytes.readUInt32LE(at + 4),
      offset: word(24),
      size: word(32),
      link: bytes.readUInt32LE(at + 40),
    });
  }
  const section = (type) => sections.find((each) => each.type === type);
  const symbols = section(11);
  const names = sections[symbols.link].offset;
  const exports = [];
  const imports = [];
  for (let at = symbols.offset + 24; at < symbols.offset + symbols.size; at += 24) {
    const name = textAt(bytes, names + bytes.readUInt32LE(at));
    (bytes.readUInt16LE(at + 6) === 0 ? imports : exports).push(name);
  }
  const dynamic = section(6);
  const strings = sections[dynamic.link].offset;
  const libraries = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    if (bytes.readBigUInt64LE(at) === 1n)
      libraries.push(textAt(bytes, strings + Number(bytes.readBigUInt64LE(at + 8))));
  }
  const needed = section(0x6ffffffe);
  const versions = needed === undefined ? [] : readVersions(bytes, needed, sections[needed.link].offset);
  return { format: "elf", machine, exports, imports, libraries, versions, debug: section(2) !== undefined };
}

/** The symbol versions that the libraries must have, such as `GLIBC_2.17`. */
function readVersions(bytes, section, strings) {
  const versions = [];
  for (let at = section.offset, more = true; more; ) {
    let entry = at + bytes.readUInt32LE(at + 8);
    for (let i = 0; i < bytes.readUInt16LE(at + 2); i++) {
      versions.push(textAt(bytes, strings + bytes.readUInt32LE(entry + 8)));
      entry += bytes.readUInt32LE(entry + 12);
    }
    const next = bytes.readUInt32LE(at + 12);
    at += next;
    more = next !== 0;
  }
  return versions;
}

function readMachO(bytes) {
  const machine = { 0x01000007: "x64", 0x0100000c: "arm64" }[bytes.readUInt32LE(4)];
  const exports = [];
  const imports = [];
  const libraries = [];
  let signed = false;
  for (let i = 0, at = 32; i < bytes.readUInt32LE(16); i++, at += bytes.readUInt32LE(at + 4)) {
    const command = bytes.readUInt32LE(at);
    if (command === 0x1d) signed = true;
    if (command === 0xc) libraries.push(textAt(bytes, at + bytes.readUInt32LE(at + 8)));
    if (command !== 2) continue;
    const symbols = bytes.readUInt32LE(at + 8);
    const names = bytes.readUInt32LE(at + 16);
    for (let entry = symbols; entry < symbols + bytes.readUInt32LE(at + 12) * 16; entry += 16) {
      const type = bytes[entry + 4];
      const name = textAt(bytes, names + bytes.readUInt32LE(entry)).replace(/^_/, "");
      if ((type & 0xe0) !== 0 || (type & 0x11) !== 1) continue;
      ((type & 0x0e) === 0 ? imports : exports).push(name);
    }
  }
  return { format: "macho", machine, exports, imports, libraries, signed };
}

function readPe(bytes) {
  const header = bytes.readUInt32LE(0x3c);
  const machine = { 0x8664: "x64", 0xaa64: "arm64" }[bytes.readUInt16LE(header + 4)];
  const optional = header + 24;
  const sections = [];
  for (let i = 0; i < bytes.readUInt16LE(header + 6); i++) {
    const at = optional + bytes.readUInt16LE(header + 20) + i * 40;
    sections.push({
      address: bytes.readUInt32LE(at + 12),
      size: bytes.readUInt32LE(at + 16),
      offset: bytes.readUInt32LE(at + 20),
    });
  }
  const offsetOf = (address) => {
    const home = sections.find((each) => address >= each.address && address < each.address + each.size);
    return address - home.address + home.offset;
  };
  const directory = (index) => offsetOf(bytes.readUInt32LE(optional + 112 + index * 8));
  const exports = [];
  const table = directory(0);
  const names = offsetOf(bytes.readUInt32LE(table + 32));
  for (let i = 0; i < bytes.readUInt32LE(table + 24); i++) {
    exports.push(textAt(bytes, offsetOf(bytes.readUInt32LE(names + i * 4))));
  }
  const imports = [];
  const libraries = [];
  for (let at = directory(1); bytes.readUInt32LE(at + 12) !== 0; at += 20) {
    libraries.push(textAt(bytes, offsetOf(bytes.readUInt32LE(at + 12))));
    for (let entry = offsetOf(bytes.readUInt32LE(at)); bytes.readBigUInt64LE(entry) !== 0n; entry += 8) {
      if (bytes[entry + 7] < 0x80) imports.push(textAt(bytes, offsetOf(bytes.readUInt32LE(entry)) + 2));
    }
  }
  return { format: "pe", machine, exports, imports, libraries };
}

/** The exports, the dependencies and the target of `file`. */
export function readBinary(file) {
  const bytes = readFileSync(file);
  const magic = bytes.readUInt32BE(0);
  const read = magic === 0x7f454c46 ? readElf : magic === 0xcffaedfe ? readMachO : readPe;
  return { size: bytes.length, ...read(bytes) };
}
