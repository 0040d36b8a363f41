// From what a function returned to the JSON text that travels.

'use strict';

// {value: text} or {error}; any JSON value of at most `limit` bytes. undefined becomes null.
function encode(value, limit) {
  let json;
  try {
    json = value === undefined ? 'null' : JSON.stringify(value, finite);
  } catch (error) {
    return fault('ResultNotJSON', `the function's result is not JSON: ${error.message}`);
  }
  if (json === undefined) {
    return fault('ResultNotJSON', `the function's result is not JSON: a ${typeof value}`);
  }
  const size = Buffer.byteLength(json);
  if (size > limit) {
    return fault('ResultTooLarge', `the function's result has ${size} bytes; the limit is ${limit}`);
  }
  return { value: json };
}

// JSON.stringify would turn these into null without a word.
function finite(key, value) {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TypeError(`${value} is not a JSON number`);
  }
  return value;
}

function fault(type, message) {
  return { error: { type, message, trace: [] } };
}

module.exports = { encode };
