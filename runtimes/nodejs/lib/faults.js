// Exceptions as the contract shows them: the user's own frames, nothing of the runtime.

'use strict';

const MAX_FRAMES = 30;
const MAX_MESSAGE = 8192;

// {type, message, trace}; never fails, whatever was thrown.
function describe(thrown, folder) {
  try {
    if (!(thrown instanceof Error) && !(thrown && thrown.stack && thrown.message)) {
      return { type: 'Error', message: cut(text(thrown)), trace: [] };
    }
    const type = String((thrown.constructor && thrown.constructor.name) || thrown.name || 'Error');
    const kind = type === 'Error' && thrown.name ? String(thrown.name) : type;
    return { type: kind, message: cut(String(thrown.message)), trace: trace(thrown, folder) };
  } catch {
    return { type: 'Error', message: '(what was thrown cannot be shown)', trace: [] };
  }
}

function text(thrown) {
  return typeof thrown === 'object' && thrown !== null ? JSON.stringify(thrown) : String(thrown);
}

function cut(message) {
  return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)} … (cut)` : message;
}

// `file:line in function` per frame of the package, outermost first.
function trace(error, folder) {
  const inside = `${folder}/`;
  const lines = [];
  for (const line of String(error.stack).split('\n')) {
    const at = line.indexOf(inside);
    const place = at < 0 ? null : /^(.*?):(\d+)(?::\d+)?\)?$/.exec(line.slice(at + inside.length));
    if (!place) continue;
    const name = /^\s*at (?:async )?(?:new )?(\S+) \(/.exec(line);
    lines.push(`${place[1]}:${place[2]}${name ? ` in ${name[1]}` : ''}`);
  }
  return lines.slice(0, MAX_FRAMES).reverse();
}

module.exports = { describe };
