// What a function prints, and whose it is, when several runs share the process.
//
// Every write to process.stdout or process.stderr becomes a log frame of the run it was made in.
// Writes past Node.js (child processes, fs.writeSync) go to the descriptors, unattributed.

'use strict';

function attribute(storage, send) {
  for (const stream of ['stdout', 'stderr']) {
    const target = process[stream];
    const write = target.write.bind(target);
    target.write = (chunk, encoding, done) => {
      const run = storage.getStore();
      if (!run) return write(chunk, encoding, done);
      const after = typeof encoding === 'function' ? encoding : done;
      emit(run, stream, chunk, typeof encoding === 'string' ? encoding : 'utf8', send);
      if (typeof after === 'function') process.nextTick(after);
      return true;
    };
  }
}

function emit(run, stream, chunk, encoding, send) {
  if (run.left <= 0) return;
  const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk, encoding);
  const kept = bytes.subarray(0, run.left);
  run.left -= kept.length;
  for (let at = 0; at < kept.length; at += 8192) {
    send({ op: 'log', id: run.id, stream, text: kept.toString('utf8', at, at + 8192) });
  }
}

module.exports = { attribute };
