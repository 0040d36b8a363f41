// The worker's life: one `load`, then an answer to every `invoke` until the stream ends.

'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');

const { Context } = require('./context.js');
const { load, LoadError } = require('./entry.js');
const faults = require('./faults.js');
const { Connection } = require('./frames.js');
const results = require('./results.js');
const streams = require('./streams.js');

class Runner {
  constructor(connection) {
    this.connection = connection;
    this.storage = null;
    this.error = null;
  }

  async load(message) {
    this.folder = message.package;
    this.memoryLimit = message.memory_limit || 0;
    this.metadataUrl = (message.environment || {}).FUNCFLOW_METADATA_URL;
    prepare(message);
    if (message.logs === 'frames') {
      this.storage = new AsyncLocalStorage();
      streams.attribute(this.storage, (frame) => this.connection.write(frame));
    }
    const ready = { op: 'ready' };
    try {
      this.function = await load(this.folder, message.entry);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      this.error = { type: 'LoadError', message: error.message, trace: error.trace };
      ready.error = this.error;
    }
    this.connection.write(ready);
  }

  invoke(message) {
    if (!this.storage) return this.run(message);
    // One past the limit, so that the host sees the excess and marks the cut.
    const run = { id: message.id, left: (message.log_limit || 0) + 1 };
    return this.storage.run(run, () => this.run(message));
  }

  async run(message) {
    const before = process.cpuUsage();
    const answer = await this.outcome(message);
    const { user, system } = process.cpuUsage(before);
    answer.op = 'result';
    answer.id = message.id;
    answer.usage = {
      cpu: (user + system) / 1e6,
      memory_peak: process.resourceUsage().maxRSS * 1024,
    };
    this.connection.write(answer);
  }

  async outcome(message) {
    if (this.error) return { error: this.error };
    let value;
    try {
      const input = message.input === undefined ? null : message.input;
      const call = this.function; // as a plain function: the runtime is not its `this`
      const context = new Context(message.context, this.memoryLimit, this.metadataUrl);
      value = await call(input, context);
    } catch (error) {
      return { error: faults.describe(error, this.folder) };
    }
    return results.encode(value, message.result_limit);
  }
}

// The environment user code starts in.
function prepare(message) {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, message.environment || {});
  process.chdir(message.work || '/tmp');
  process.argv = process.argv.slice(0, 1);
}

function serve(socket) {
  const connection = new Connection(socket, (message) => {
    if (message.op === 'load') runner.load(message);
    else if (message.op === 'invoke') runner.invoke(message);
  });
  const runner = new Runner(connection);
}

module.exports = { serve };
