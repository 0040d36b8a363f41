// Asks the metadata service about the run: a session token first, then what is wanted.
//
// Used by context.js on the first question; runtimes/contract/metadata.md states the protocol.

'use strict';

// node:http takes a megabyte and milliseconds: only for who asks.
let http = null;

// Seconds a session token is good, and an answer may take.
const TTL = 3600;
const PATIENCE = 10;

// The metadata service refused: `status` is HTTP's. 404: this run has no such thing.
class MetadataError extends Error {
  constructor(status, message) {
    super(`${message} (status ${status})`);
    this.name = 'MetadataError';
    this.status = status;
  }
}

// One run's. Answers nothing any more once the run has ended.
class Client {
  constructor(url, secret) {
    this.url = url;
    this.secret = secret;
    this.session = null;
  }

  // What is at that path (names, joined by `/`): a text, or anything of JSON.
  async get(path) {
    this.session ??= await this.open();
    try {
      return await this.ask('GET', path, { 'X-Funcflow-Token': this.session });
    } catch (error) {
      if (error.status !== 401) throw error;
    }
    this.session = await this.open();
    return this.ask('GET', path, { 'X-Funcflow-Token': this.session });
  }

  open() {
    const headers = { 'X-Funcflow-Invocation': this.secret, 'X-Funcflow-Token-TTL-Seconds': TTL };
    return this.ask('PUT', 'token', headers);
  }

  ask(method, path, headers) {
    return new Promise((resolve, reject) => {
      http ??= require('node:http');
      // An agent of its own: one that the function set up must not see this.
      const agent = new http.Agent({ keepAlive: false });
      const options = { method, headers, agent, timeout: PATIENCE * 1000 };
      const request = http.request(`${this.url}/${path}`, options, (answer) => {
        const pieces = [];
        answer.on('data', (piece) => pieces.push(piece));
        answer.on('error', unreachable);
        answer.on('end', () => {
          const text = Buffer.concat(pieces).toString();
          const isJson = answer.headers['content-type'] === 'application/json';
          const value = isJson ? JSON.parse(text) : text;
          if (answer.statusCode === 200) resolve(value);
          else reject(new MetadataError(answer.statusCode, value.error || text));
        });
      });
      const unreachable = (error) => {
        const why = `the metadata service cannot be reached: ${error.message}`;
        reject(new MetadataError(503, why));
      };
      request.on('error', unreachable);
      request.on('timeout', () => request.destroy(new Error('it does not answer')));
      request.end();
    });
  }
}

module.exports = { Client, MetadataError };
