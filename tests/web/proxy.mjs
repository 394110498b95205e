// A door between the page and its server that can be shut in the ways in which doors really fail: `stall` keeps the
// sockets open and lets nothing through, `refuse` answers 503, `down` cuts everything and no longer listens.

import { createServer, request as send } from 'node:http';

export class Proxy {
  #target;
  #server;
  #sockets = new Set();
  #mode = 'pass';
  port = 0;

  constructor(target) {
    this.#target = new URL(target);
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  async listen() {
    this.#server = createServer((request, response) => this.#handle(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise((done) => this.#server.listen(this.port, '127.0.0.1', done));
    this.port = this.#server.address().port;
  }

  async mode(name) {
    const was = this.#mode;
    this.#mode = name;
    if (name === 'down') await this.close();
    if (was === 'down') await this.listen();
    if (name === 'refuse') this.#cut();
  }

  async close() {
    const closed = new Promise((done) => this.#server.close(done));
    this.#cut();
    await closed;
  }

  #cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  #handle(request, response) {
    if (this.#mode === 'stall') return;
    if (this.#mode === 'refuse') return response.writeHead(503).end();
    const { hostname, port } = this.#target;
    const up = send({ hostname, port, path: request.url, method: request.method, headers: { ...request.headers, host: this.#target.host } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      answer.on('data', (chunk) => this.#mode !== 'stall' && response.write(chunk));
      answer.on('end', () => response.end());
      answer.on('error', () => response.destroy());
    });
    up.on('error', () => response.destroy());
    response.on('close', () => up.destroy());
    request.pipe(up);
  }
}
