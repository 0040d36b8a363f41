// What a function learns about its run.

'use strict';

const { Client, MetadataError } = require('./metadata.js');

// What did not come with the call is asked of the metadata service; what this run does not have is a
// MetadataError with status 404.
class Context {
  #client = null;

  constructor(fields, memoryLimit, metadataUrl = '') {
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
    // Not to be seen where a context is printed.
    Object.defineProperty(this, 'metadataSecret', { value: fields.metadata || '' });
    Object.defineProperty(this, 'metadataUrl', { value: metadataUrl });
  }

  // Seconds until the run is stopped; never negative.
  remainingTime() {
    return Math.max(0, this.deadline - Date.now() / 1000);
  }

  // The same in whole milliseconds.
  remainingTimeMs() {
    return Math.floor(this.remainingTime() * 1000);
  }

  // What the metadata service has at that path: a text, or anything of JSON.
  async metadata(path = '') {
    if (!this.metadataUrl || !this.metadataSecret) {
      throw new MetadataError(404, 'there is no metadata service here');
    }
    this.#client ??= new Client(this.metadataUrl, this.metadataSecret);
    return this.#client.get(path);
  }

  // The function's own, as its owner set it.
  configuration() {
    return this.metadata('configuration');
  }

  // A secret of the run; without a name, the names there are.
  secrets(name) {
    return this.metadata(name === undefined ? 'secrets' : `secrets/${encodeURIComponent(name)}`);
  }

  // Id of the user whose token was lent to the run, and names of the roles that it has.
  user() {
    return this.metadata('').then((document) => document.user_id);
  }

  roles() {
    return this.metadata('roles');
  }

  // The token of Keystone that was lent to the run.
  token() {
    return this.metadata('credentials/token');
  }

  // Services with their endpoints, as Keystone gives them.
  catalog() {
    return this.metadata('catalog');
  }

  // URL of a service by its type.
  async endpoint(type, { region, interface: kind = 'public' } = {}) {
    const services = (await this.catalog()).filter((service) => service.type === type);
    const found = services
      .flatMap((service) => service.endpoints)
      .find((end) => end.interface === kind && (!region || region === end.region_id));
    if (!found) throw new MetadataError(404, `no ${kind} endpoint of a service ${type}`);
    return found.url;
  }
}

module.exports = { Context };
