/** Bugs that break what the retries property promises. */
import { type PlantedBug, RETRIES } from '../planted-bug.js'

export const retryBugs: readonly PlantedBug[] = [
  {
    name: 'tries-lost-now-and-then',
    promise: 'attempts-counted',
    file: 'packages/client/src/retry.ts',
    find: ': String(attempts),',
    replace: ': String(delivery.offset % 5 === 3 ? attempts - 1 : attempts),',
    test: RETRIES,
  },
  {
    name: 'dead-one-try-early',
    promise: 'attempts-counted',
    file: 'packages/client/src/queue-worker.ts',
    find: 'if (attempt >= attemptsMax)',
    replace: 'if (attempt + 1 >= attemptsMax)',
    test: RETRIES,
  },
  {
    name: 'dead-letter-dropped',
    promise: 'settled-or-dead',
    file: 'packages/client/src/moved-message.ts',
    find: 'if (delayMs === 0) tx.forward(message)',
    replace: 'if (delayMs === 0) void message',
    test: RETRIES,
  },
  {
    name: 'settled-before-it-comes-again',
    promise: 'settled-or-dead',
    file: 'packages/client/src/moved-message.ts',
    find: 'const tx = openTx(connection)\n    tx.ack(delivery)',
    replace: `const first = openTx(connection)
    first.ack(delivery)
    await first.commit()
    const tx = openTx(connection)`,
    test: RETRIES,
  },
  {
    name: 'retries-lost-with-a-checkpoint',
    promise: 'settled-or-dead',
    file: 'packages/broker/src/folds/fact-fold.ts',
    find: 'loadRecords(chunk, (record) => this.evolve(record))',
    replace: "loadRecords(chunk, (record) => this.name !== 'timers' && this.evolve(record))",
    test: RETRIES,
  },
]
