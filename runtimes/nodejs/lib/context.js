// What a function learns about its run.

'use strict';

class Context {
  constructor(fields, memoryLimit) {
    this.requestId = fields.request_id;
    this.executionId = fields.execution_id;
    this.function = fields.function;
    this.version = fields.version;
    this.project = fields.project;
    this.traceparent = fields.traceparent;
    // Seconds since the epoch at which the run is stopped.
    this.deadline = fields.deadline;
    // Bytes.
    this.memoryLimit = memoryLimit;
  }

  // Seconds until the run is stopped; never negative.
  remainingTime() {
    return Math.max(0, this.deadline - Date.now() / 1000);
  }

  // The same in whole milliseconds.
  remainingTimeMs() {
    return Math.floor(this.remainingTime() * 1000);
  }
}

module.exports = { Context };
