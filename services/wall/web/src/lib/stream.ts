// The I/O around the state machine in connection.ts: an EventSource that is opened and closed as it says.

import { start, step, type Input, type Line } from './connection';

export interface Message {
  kind: 'snapshot' | 'delta' | 'heartbeat';
  id: string;
  body: unknown;
}

/** Follows the stream for ever; returns a function that ends it. Times are of `performance.now()`. */
export function follow(url: () => string, onMessage: (message: Message) => void, onLine: (line: Line) => void): () => void {
  let line = start(performance.now());
  let source: EventSource | null = null;

  const feed = (input: Input) => {
    const [next, effects] = step(line, input, performance.now(), Math.random());
    line = next;
    for (const effect of effects) {
      source?.close();
      source = effect === 'open' ? open() : null;
    }
    onLine(line);
  };

  const open = () => {
    const opened = new EventSource(url());
    const heard = (kind: Message['kind']) => (event: MessageEvent<string>) => {
      if (opened !== source) return;
      feed({ kind: 'bytes' });
      let body: unknown;
      try {
        body = JSON.parse(event.data);
      } catch {
        return feed({ kind: 'failed' }); // cut or garbled: only a new snapshot is safe
      }
      onMessage({ kind, id: event.lastEventId, body });
    };
    for (const kind of ['snapshot', 'delta', 'heartbeat'] as const) opened.addEventListener(kind, heard(kind));
    opened.onerror = () => opened === source && feed({ kind: 'failed' });
    return opened;
  };

  source = open();
  onLine(line);
  const timer = setInterval(() => feed({ kind: 'tick' }), 1_000);
  return () => {
    clearInterval(timer);
    source?.close();
    source = null;
  };
}
