// The Node.js runtime: turns a package folder and an entry into answers over one stream.
//
// Runs inside a sandbox, with the standard library only: `node main.js --fd 3` or
// `node main.js --connect host:port`. runtimes/contract/README.md states the protocol.

'use strict';

const net = require('node:net');

const { serve } = require('./lib/serve.js');

function open(args) {
  const [option, where] = args;
  if (option === '--fd' && /^\d+$/.test(where || '')) {
    return new net.Socket({ fd: Number(where), readable: true, writable: true });
  }
  if (option === '--connect' && where) {
    const at = where.lastIndexOf(':');
    const socket = net.connect({ host: where.slice(0, at), port: Number(where.slice(at + 1)) });
    socket.setNoDelay(true);
    return socket;
  }
  process.stderr.write('usage: main.js --fd NUMBER | --connect HOST:PORT\n');
  return process.exit(2);
}

serve(open(process.argv.slice(2)));
