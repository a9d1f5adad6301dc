/** The command line of the benchmarks: lists them, or runs one by name. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { brokerBench } from './broker.js'
import { eventStore } from './event-store.js'
import { runBenchmark } from './harness.js'
import { logCore } from './log-core.js'
import type { Benchmark, Case } from './measurement.js'
import { remoting } from './remoting.js'
import { reportOf } from './report.js'
import { sagaScale } from './saga-scale.js'
import { sagaBench } from './saga.js'
import { syncMethods } from './sync-methods.js'

const benchmarks: readonly Benchmark[] = [
  brokerBench,
  remoting,
  logCore,
  eventStore,
  sagaBench,
  sagaScale,
  syncMethods,
]
const HELP = `usage: npm run bench -- [NAME] [--only TEXT] [--json] [--seconds S] [--rounds N]
                        [--dir PATH]

  NAME         the benchmark to run; without one they are listed
  --only TEXT  the cases whose label holds it, without looking at capitals; may be given again
  --json       one JSON line per measurement, and nothing else, on stdout
  --seconds S  seconds of one round of one case (1)
  --rounds N   interleaved rounds (3)
  --dir PATH   where the data goes: measure the disk you mean (bench/.data)
`

const options = {
  only: { type: 'string', multiple: true },
  json: { type: 'boolean', default: false },
  seconds: { type: 'string', default: '1' },
  rounds: { type: 'string', default: '3' },
  dir: {
    type: 'string',
    default: join(dirname(dirname(fileURLToPath(import.meta.url))), '.data'),
  },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/** Says what is wrong with the arguments and ends with the exit code for it. */
function refuse(reason: string): never {
  process.stderr.write(`${reason}\n\n${HELP}`)
  process.exit(2)
}

function argumentsOf() {
  try {
    return parseArgs({ options, allowPositionals: true })
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function listing(): string {
  const rows = benchmarks.map(({ name, summary }) => `  ${name.padEnd(16)}${summary}`)
  return ['benchmarks:', ...rows, '', HELP].join('\n')
}

function casesOf({ cases, name }: Benchmark, only: readonly string[]): readonly Case[] {
  if (only.length === 0) return cases
  const wanted = only.map((text) => text.toLowerCase())
  const found = cases.filter(({ label }) =>
    wanted.some((text) => label.toLowerCase().includes(text)),
  )
  if (found.length > 0) return found
  const labels = cases.map(({ label }) => `  ${label}`).join('\n')
  return refuse(`no case of ${name} has a label like that; they are\n${labels}`)
}

async function main(): Promise<void> {
  const { values, positionals } = argumentsOf()
  const [name] = positionals
  if (values.help || name === undefined) {
    process.stdout.write(listing())
    return
  }
  const benchmark = benchmarks.find((one) => one.name === name)
  if (benchmark === undefined) refuse(`there is no benchmark named ${name}`)
  const cases = casesOf(benchmark, values.only ?? [])
  const roundMs = Number(values.seconds) * 1000
  const rounds = Number(values.rounds)
  if (!(roundMs > 0)) refuse('--seconds must be a number above 0')
  if (!Number.isSafeInteger(rounds) || rounds < 1) refuse('--rounds must be a whole number above 0')
  const onProgress = (line: string): void => {
    process.stderr.write(`${line}\n`)
  }
  const measurements = await runBenchmark(
    { ...benchmark, cases },
    {
      directory: values.dir,
      rounds,
      roundMs,
      onProgress,
    },
  )
  if (values.json)
    for (const measurement of measurements) process.stdout.write(`${JSON.stringify(measurement)}\n`)
  else process.stdout.write((benchmark.report ?? reportOf)(measurements))
  if (measurements.some(({ earlyReplies }) => earlyReplies > 0)) {
    process.stderr.write('replies left before their record was durable\n')
    process.exitCode = 1
  }
}

await main()
