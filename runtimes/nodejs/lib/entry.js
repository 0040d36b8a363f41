// From an entry (`main.main`, `lib.mod.Class.method`) to a function that can be called.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const faults = require('./faults.js');

const SUFFIXES = ['.js', '.mjs', '.cjs'];
// How a class offers itself when the entry names the class alone.
const METHODS = ['main', 'handler'];

class LoadError extends Error {
  constructor(message, trace = []) {
    super(message);
    this.trace = trace;
  }
}

async function load(folder, entry) {
  const parts = entry.split('.');
  if (parts.length < 2 || !parts.every((part) => /^[\w$-]+$/.test(part))) {
    throw new LoadError(`entry '${entry}' is not of the form file.function`);
  }
  const [file, rest] = find(folder, parts);
  const name = path.relative(folder, file);
  let module;
  try {
    module = await import(pathToFileURL(file).href);
  } catch (error) {
    throw failed(`importing '${name}' failed`, error, folder);
  }
  return resolve(module, rest, entry, folder, name);
}

// The file of the longest path that exists, and the names that remain.
function find(folder, parts) {
  for (let length = parts.length - 1; length > 0; length -= 1) {
    const stem = path.join(folder, ...parts.slice(0, length));
    for (const file of SUFFIXES.flatMap((end) => [stem + end, path.join(stem, `index${end}`)])) {
      if (fs.existsSync(file)) return [file, parts.slice(length)];
    }
  }
  const found = fs.readdirSync(folder).sort().slice(0, 10).join(', ') || 'nothing';
  throw new LoadError(`no file '${parts[0]}.js' in the package (it holds: ${found})`);
}

function resolve(module, rest, entry, folder, file) {
  let owner;
  let found = module;
  let where = file;
  for (const [depth, name] of rest.entries()) {
    owner = found;
    found = member(owner, name, depth === 0);
    if (found === undefined) {
      const names = Object.keys(owner).filter((key) => typeof owner[key] === 'function');
      const hint = names.length ? ` (it has: ${names.sort().slice(0, 10).join(', ')})` : '';
      throw new LoadError(`'${where}' has no '${name}'${hint}`);
    }
    where = `${where}.${name}`;
    if (isClass(found)) {
      found = instance(found, entry, folder);
      if (depth === rest.length - 1) return method(found, entry);
    }
  }
  if (typeof found !== 'function') {
    throw new LoadError(`entry '${entry}' is a ${typeof found}, not a function`);
  }
  return owner === module ? found : found.bind(owner);
}

function member(owner, name, top) {
  if (owner === null || owner === undefined) return undefined;
  if (owner[name] !== undefined) return owner[name];
  // An ES module, or a CommonJS one whose exports could not be seen from outside.
  return top && owner.default ? owner.default[name] : undefined;
}

function isClass(value) {
  return typeof value === 'function' && /^class[\s{]/.test(Function.prototype.toString.call(value));
}

function instance(type, entry, folder) {
  try {
    return new type();
  } catch (error) {
    throw failed(`making a ${type.name} failed`, error, folder);
  }
}

function method(object, entry) {
  const name = METHODS.find((candidate) => typeof object[candidate] === 'function');
  if (!name) throw new LoadError(`class of entry '${entry}' has none of: ${METHODS.join(', ')}`);
  return object[name].bind(object);
}

function failed(what, error, folder) {
  const { type, message, trace } = faults.describe(error, folder);
  return new LoadError(`${what}: ${type}: ${message}`, trace);
}

module.exports = { load, LoadError };
