/**
 * What a program sees of its sagas while they run: spans by the tracer of OpenTelemetry itself, and
 * how many stand how, over two instances and a restart.
 */
import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import {
  createSagaRuntime,
  saga,
  type SagaDefinition,
  type SagaRuntime,
  sagaTrace,
  stepSpans,
} from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { placeOrder } from './orders.js'
import { World } from './world.js'

const nothing = () => TE.right(undefined)

async function withWorld(
  use: (
    world: World,
    runtimeOf: (
      sagas: readonly SagaDefinition[],
      more?: Partial<Parameters<typeof createSagaRuntime>[1]>,
    ) => Promise<SagaRuntime>,
  ) => Promise<void>,
): Promise<void> {
  const world = new World({ wire: 'memory', seed: 3, saga: placeOrder, behaviour: () => 'done' })
  await world.until(world.openBroker())
  let count = 0
  await world.until(
    use(world, async (sagas, more = {}) => {
      count += 1
      const connection = world.connect(world.time.nodeClock(), `client ${count}`)
      const instance = `r${count}`
      const options = { sagas, instance, queues: 2, retryMs: 20, ...more }
      const runtime = createSagaRuntime(connection, options)
      await runtime.start()
      return runtime
    }),
  )
  await world.close()
}

describe('spans', () => {
  it('stand for each step and undo in one trace of the saga, with what went wrong', async () => {
    let tries = 0
    const trip = saga('traced', 1, t.number)
      .step('hotel', {
        out: t.string,
        retry: { firstMs: 500 },
        run: () => async () => {
          tries += 1
          if (tries === 1) throw new Error('busy')
          return E.right('h')
        },
        undo: nothing,
      })
      .step('flight', { out: t.string, run: () => TE.left('full'), undo: nothing })
      .end()
    const exporter = new InMemorySpanExporter()
    const provider = new BasicTracerProvider({
      spanProcessors: [new SimpleSpanProcessor(exporter)],
    })
    const onStep = stepSpans(provider.getTracer('sagas'), {
      parent: (move) => trace.setSpanContext(ROOT_CONTEXT, sagaTrace(move)),
    })
    await withWorld(async (_, runtimeOf) => {
      const runtime = await runtimeOf([trip], { onStep })
      await runtime.of(trip).start('t1', 1)
      expect(await runtime.of(trip).result('t1')).toMatchObject({ outcome: 'compensated' })
    })
    const spans = exporter.getFinishedSpans()
    expect(spans.map(({ name }) => name)).toEqual([
      'traced/hotel',
      'traced/flight',
      'traced/undo hotel',
    ])
    const [hotel, flight, undone] = spans
    const lengthMs = (hotel?.duration[0] ?? 0) * 1_000 + (hotel?.duration[1] ?? 0) / 1_000_000
    expect(lengthMs).toBeGreaterThanOrEqual(500)
    expect(lengthMs).toBeLessThan(5_000)
    expect(hotel?.events).toMatchObject([
      { name: 'attempt failed', attributes: { message: 'busy' } },
    ])
    expect(hotel?.attributes).toEqual({
      'saga.name': 'traced',
      'saga.id': 't1',
      'saga.step': 'hotel',
    })
    expect(flight?.status).toMatchObject({ code: SpanStatusCode.ERROR })
    expect(undone?.status).toMatchObject({ code: SpanStatusCode.UNSET })
    const { traceId, spanId } = sagaTrace({ saga: 'traced', sagaId: 't1' })
    for (const span of spans) {
      expect(span.spanContext().traceId).toBe(traceId)
      expect(span.parentSpanContext?.spanId).toBe(spanId)
    }
  })
})

describe('a census', () => {
  it('counts what runs, waits, goes back and needs a person, over all instances', async () => {
    const asking = saga('asking', 1, t.string)
      .step('hold', {
        out: t.string,
        retry: { times: 1 },
        run: (c) => (c.input === 'busy' ? () => new Promise<never>(() => {}) : TE.right('held')),
        undo: (c) => async () => {
          if (c.input === 'stuck') throw new Error('no undo today')
          return E.right(undefined)
        },
      })
      .step('note', {
        out: t.string,
        retry: { times: 5, firstMs: 600_000, maxMs: 600_000 },
        run: () => TE.right('noted'),
        undo: (c) => async () => {
          if (c.input === 'slow') throw new Error('later')
          return E.right(undefined)
        },
      })
      .signal('answer', {
        codec: t.boolean,
        accept: (_, isYes) => (isYes ? E.right(isYes) : E.left('no' as const)),
      })
      .end()
    await withWorld(async (world, runtimeOf) => {
      const [one, two] = [await runtimeOf([asking]), await runtimeOf([asking])]
      const sagas = one.of(asking)
      const soon = () => new Promise<void>((resolve) => world.time.plan(300, resolve))
      expect(await one.census()).toEqual([
        { saga: 'asking', running: 0, waiting: 0, undoing: 0, parked: 0 },
      ])
      for (const id of ['wait-1', 'wait-2', 'busy', 'stuck', 'slow', 'done'])
        await sagas.start(id, id)
      await sagas.signal('done', 'answer', true)
      for (const id of ['stuck', 'slow']) await sagas.signal(id, 'answer', false)
      expect(await sagas.result('done')).toMatchObject({ outcome: 'completed' })
      expect(await sagas.result('stuck')).toMatchObject({ outcome: 'parked' })
      await soon()
      const counts = { saga: 'asking', running: 1, waiting: 2, undoing: 1, parked: 1 }
      // One that counted before goes on from there; one that did not begins at the beginning.
      expect([await one.census(), await two.census()]).toEqual([[counts], [counts]])
      await sagas.signal('wait-1', 'answer', true)
      expect(await sagas.result('wait-1')).toMatchObject({ outcome: 'completed' })
      expect(await two.census()).toEqual([{ ...counts, waiting: 1 }])
      // What is resumed goes on in the direction in which it went.
      await sagas.retry('stuck', 'ada')
      expect(await sagas.result('stuck')).toMatchObject({ outcome: 'parked' })
      expect(await two.census()).toEqual([{ ...counts, waiting: 1 }])
    })
  })
})
