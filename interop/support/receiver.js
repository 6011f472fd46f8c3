// A server that takes in every webhook and keeps its bytes.

import { once } from 'node:events';
import { createServer } from 'node:http';

export class Receiver {
  /** `{path, headers, body}` of each delivery, in the order of their arrival; `body` as bytes. */
  deliveries = [];

  static async start(t) {
    const receiver = new Receiver();
    const server = createServer(async (request, response) => {
      const chunks = await request.toArray();
      receiver.deliveries.push({ path: request.url, headers: request.headers, body: Buffer.concat(chunks) });
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    receiver.url = `http://127.0.0.1:${server.address().port}`;
    return receiver;
  }

  /** The deliveries at a path. */
  at(path) {
    return this.deliveries.filter((delivery) => delivery.path === path);
  }
}
