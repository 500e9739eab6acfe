// SPDX-License-Identifier: MIT
// What node's HTTP server makes of connections; see judge_http.c for the form.
// No socket is opened: each connection is a stream that is given its bytes.
'use strict';
const http = require('http');
const { Duplex } = require('stream');

const AT_ONCE = 64;
const hex = (text) => Buffer.from(text, 'latin1').toString('hex');

function later(turns, what) {
  setImmediate(() => turns > 0 ? later(turns - 1, what) : what());
}

const server = http.createServer({ insecureHTTPParser: false,
  keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0,
  connectionsCheckingInterval: 1 << 30 });
server.maxHeadersCount = 0;

server.on('request', (request, response) => {
  const kept = request.socket.kept;
  if (kept.closed) {
    return;
  }
  const entry = { text: '' };
  kept.requests.push(entry);
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    let fields = '';
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      fields += hex(request.rawHeaders[i]) + ':' +
        hex(request.rawHeaders[i + 1]) + ',';
    }
    entry.text = hex(request.method) + ' ' + hex(request.url) + ' ' +
      Buffer.concat(parts).toString('hex') + ' ' + fields + ';';
    response.end();
  });
  kept.closed = !response.shouldKeepAlive;
});
server.on('clientError', (error, socket) => {
  if (error.code !== 'HPE_INVALID_EOF_STATE' && !socket.kept.closed) {
    socket.kept.refused = error.code || String(error);
  }
  // What came whole before it is still on its way to its request.
  later(4, () => socket.destroy());
});

function judge(bytes) {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read() {},
      write(part, encoding, done) { done(); },
      final(done) { done(); },
      destroy(error, done) {
        const kept = this.kept;
        const whole = kept.requests.filter((one) => one.text !== '');
        resolve(whole.map((one) => one.text).join('') +
          (kept.refused ? '!' + kept.refused
            : kept.closed && whole.length === kept.requests.length ? '/' : '.'));
        done(error);
      },
    });
    socket.kept = { requests: [], closed: false, refused: '' };
    socket.on('error', () => {});
    socket.setTimeout = socket.setNoDelay = socket.setKeepAlive = () => socket;
    server.emit('connection', socket);
    socket.push(bytes);
    later(4, () => socket.push(null));
  });
}

function split(all) {
  const cases = [];
  for (let at = 0; at < all.length;) {
    const len = all.readUInt32LE(at);
    cases.push(all.subarray(at + 4, at + 4 + len));
    at += 4 + len;
  }
  return cases;
}

async function main() {
  const parts = [];
  for await (const part of process.stdin) {
    parts.push(part);
  }
  const cases = split(Buffer.concat(parts));
  for (let at = 0; at < cases.length; at += AT_ONCE) {
    const lines = await Promise.all(cases.slice(at, at + AT_ONCE).map(judge));
    process.stdout.write(lines.join('\n') + '\n');
  }
}

main().then(() => server.close());
