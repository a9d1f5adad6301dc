/**
 * The frames of the official clients: the golden files hold the first of each shape, and a fresh
 * run must not send another. `SAGALOG_CAPTURE=1 npm run test:interop` writes the files anew.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { compiledClassPath, JavaClients, whySkipped } from './java-clients.js'
import { openTappedBroker, shapeOf, type TappedFrame } from './tapped-broker.js'

const top = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const fixtures = join(top, 'packages', 'protocol', 'test', 'fixtures')
const isCapture = process.env['SAGALOG_CAPTURE'] === '1'
const skipped = whySkipped()

const quick = ['send sync', 'send batch', 'consume by tags']
const all = [
  ...quick,
  'send one-way',
  'transactions',
  'consume orderly',
  'retries to dead letters',
  'orderly to dead letters',
  'lite pull',
  'offset reset',
  'offsets and messages by id',
]
/** Larger ones teach nothing that a small one does not. */
const FRAME_BYTES_MAX = 4_096

interface Golden {
  readonly shape: string
  readonly hex: string
}

async function framesOf(dialect: string, scenarios: readonly string[]): Promise<TappedFrame[]> {
  const home = mkdtempSync(join(tmpdir(), 'sagalog-golden-'))
  const broker = await openTappedBroker(join(home, 'data'))
  const setting = `-Drocketmq.serialize.type=${dialect === 'json' ? 'JSON' : 'ROCKETMQ'}`
  const clients = new JavaClients(compiledClassPath(), broker.address, home, [setting])
  try {
    await clients.ready()
    for (const scenario of scenarios) await clients.run(scenario)
    return [...broker.frames]
  } finally {
    clients.stop()
    await broker.close()
    rmSync(home, { recursive: true, force: true })
  }
}

describe.skipIf(skipped !== undefined)(
  `frames of the official Java clients${skipped === undefined ? '' : ` (not here: ${skipped})`}`,
  { timeout: 240_000 },
  () => {
    test.each(['json', 'binary'])(
      'in the %s dialect have the shapes of the golden file',
      async (dialect) => {
        const frames = await framesOf(dialect, isCapture ? all : quick)
        const file = join(fixtures, `java-client-5.3.3-${dialect}.json`)
        const firsts = new Map<string, TappedFrame>()
        for (const frame of frames)
          if (!firsts.has(shapeOf(frame)) && frame.bytes.length <= FRAME_BYTES_MAX)
            firsts.set(shapeOf(frame), frame)
        if (isCapture) {
          const golden = [...firsts].map(([shape, { bytes }]) => ({
            shape,
            hex: bytes.toString('hex'),
          }))
          writeFileSync(file, `${JSON.stringify(golden, undefined, 2)}\n`)
        }
        const golden = JSON.parse(readFileSync(file, 'utf8')) as Golden[]
        const known = new Set(golden.map(({ shape }) => shape))
        // Which answers come depends on who is faster; what is asked does not.
        const asked = [...firsts.keys()].filter((shape) => shape.includes('request from client'))
        expect(asked.filter((shape) => !known.has(shape))).toEqual([])
        // All requests were in the dialect that was asked for.
        expect(frames.length).toBeGreaterThan(50)
        expect(new Set(frames.map(({ frame }) => frame.dialect))).toEqual(new Set([dialect]))
      },
    )
  },
)
