/** Sagas of three local steps as the benchmarks run them, and how one is waited for. */
import { type Saga, saga, type SagaRuntime } from '@sagalog/saga'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { Sagalog } from 'sagalog'
import type { CaseName } from './measurement.js'

const nothing = () => TE.right(undefined)
const step = { out: t.number, run: () => TE.right(1), undo: nothing }
const forward = { out: t.number, run: () => TE.right(1) }

export const three = saga('bench', 1, t.number)
  .step('a', step)
  .step('b', step)
  .then('c', forward)
  .end()

/** A loop of so many items is a saga of as many steps. */
export const long = saga('bench-long', 1, t.type({ items: t.array(t.number) }))
  .forEach('item', (c) => c.input.items, step)
  .end()

/** Waits for a person after its first step. */
export const waiting = saga('bench-waiting', 1, t.number)
  .step('a', step)
  .signal('go', { codec: t.number })
  .then('c', forward)
  .end()

export interface Ends<Input> {
  /** Starts a saga; resolves at its end, with the milliseconds that it took. */
  run(id: string, input: Input): Promise<number>
}

export function endsOf<Input, Context>(
  runtime: SagaRuntime,
  definition: Saga<Input, Context, unknown>,
): Ends<Input> {
  const waitingFor = new Map<string, () => void>()
  runtime.onEnded(({ sagaId }) => waitingFor.get(sagaId)?.())
  const sagas = runtime.of(definition)
  return {
    async run(id, input) {
      const startedMs = performance.now()
      const ended = new Promise<void>((resolve) => {
        waitingFor.set(id, resolve)
      })
      await sagas.start(id, input)
      await ended
      waitingFor.delete(id)
      return performance.now() - startedMs
    },
  }
}

export async function withRuntime<A>(
  { durability }: Pick<CaseName, 'durability'>,
  directory: string,
  use: (app: Sagalog, runtime: SagaRuntime) => Promise<A>,
): Promise<A> {
  const app = await Sagalog.open({ dir: directory, durability })
  const runtime = app.sagas({ sagas: [three, long, waiting], instance: 'bench', queues: 16 })
  await runtime.start()
  try {
    return await use(app, runtime)
  } finally {
    await app.close()
  }
}
