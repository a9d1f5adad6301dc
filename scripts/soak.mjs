/**
 * Looks for failures on seeds that nobody has tried, until the time is up or something breaks.
 * `broker` runs the simulated properties, `log-core` the campaigns of that package, one after
 * the other; `kills` runs the demo with 20 kills, one seed after the other. What fails names the
 * seed, and the line that runs it again; the last lines say which seeds were run and what they
 * reached.
 *
 *   node scripts/soak.mjs [KIND] [--minutes N]     broker, 10 minutes unless told
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const top = dirname(dirname(fileURLToPath(import.meta.url)))
const vitest = join(top, 'node_modules', 'vitest', 'vitest.mjs')
const demo = join(top, 'examples', 'orders', 'dist', 'main.js')
const KILLS = 20
/** More than a round can run. */
const SEEDS_APART = 10_000

let child
const stop = { code: 0 }
const stopWith = (signal, code) =>
  process.on(signal, () => {
    stop.code = code
    child?.kill(signal)
  })
stopWith('SIGINT', 130)
stopWith('SIGTERM', 143)

/** Runs a Node program to its end; gives its exit code, or 1 for a signal, and what it printed. */
function node(args, { env = {}, stdout = 'inherit' } = {}) {
  return new Promise((resolve) => {
    let text = ''
    const stdio = ['ignore', stdout, 'inherit']
    child = spawn(process.execPath, args, { cwd: top, stdio, env: { ...process.env, ...env } })
    child.stdout?.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    child.on('error', (error) => resolve({ code: 1, text: error.message }))
    child.on('close', (code) => resolve({ code: code ?? 1, text }))
  })
}

/** Adds up what a test file left behind: seeds, and how often each thing was reached. */
function addTally(total, file) {
  if (!existsSync(file)) return
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const { campaign, from, to, seeds, counts } = JSON.parse(line)
    const sum = total.get(campaign) ?? { from, to, seeds: 0, counts: {} }
    sum.from = Math.min(sum.from, from)
    sum.to = Math.max(sum.to, to)
    sum.seeds += seeds
    for (const [name, count] of Object.entries(counts))
      sum.counts[name] = (sum.counts[name] ?? 0) + count
    total.set(campaign, sum)
  }
}

/**
 * Test files that understand SAGALOG_FROM, SAGALOG_BOX_S and SAGALOG_TALLY, in turn, each for a
 * minute at most.
 */
function campaigns(...files) {
  const total = new Map()
  return {
    async round(number, from, leftMs) {
      const share = Math.min(
        60,
        Math.round(leftMs / 1_000),
        Math.ceil((minutes * 60) / files.length),
      )
      const boxS = Math.max(1, share)
      const directory = mkdtempSync(join(tmpdir(), 'sagalog-soak-'))
      const tally = join(directory, 'tally.jsonl')
      const env = {
        SAGALOG_FROM: String(from + number * SEEDS_APART),
        SAGALOG_BOX_S: String(boxS),
        SAGALOG_TALLY: tally,
      }
      const { code } = await node([vitest, 'run', files[number % files.length]], { env })
      addTally(total, tally)
      rmSync(directory, { recursive: true, force: true })
      return code
    },
    summary: () =>
      [...total].map(([campaign, { from, to, seeds, counts }]) => {
        const names = Object.keys(counts).sort()
        const reached = names.map((name) => `${name} ${counts[name]}`).join(', ')
        return `${campaign}: ${seeds} seeds from ${from} to ${to}; ${reached}`
      }),
  }
}

/** The rows of the verdict that differ; nothing when what was printed is no verdict. */
function differences(text) {
  try {
    const wrong = JSON.parse(text).checks.filter((check) => check.differences.length > 0)
    return wrong.map(({ name, expected, found }) => `${name}: expected ${expected}; found ${found}`)
  } catch {
    return []
  }
}

/** The demo with kills under one seed. Its directory is kept when it fails. Gives the exit code. */
async function oneDemo(seed) {
  const directory = mkdtempSync(join(tmpdir(), 'sagalog-soak-'))
  const args = ['--kills', String(KILLS), '--seed', String(seed)]
  const startedMs = Date.now()
  const dir = join(directory, 'run')
  const { code, text } = await node([demo, ...args, '--dir', dir, '--json'], { stdout: 'pipe' })
  const seconds = ((Date.now() - startedMs) / 1_000).toFixed(1)
  if (code === 0 || stop.code > 0) rmSync(directory, { recursive: true, force: true })
  if (stop.code > 0) return code
  const verdict = code === 0 ? 'passed' : `FAILED (${code})`
  process.stdout.write(`seed ${seed}: ${verdict} in ${seconds} s\n`)
  if (code === 0) return code
  for (const line of differences(text)) process.stdout.write(`  ${line}\n`)
  process.stdout.write(`  again: npm run demo -- ${args.join(' ')} --dir NEW\n  kept:  ${dir}\n`)
  return code
}

/** The demo with kills, one seed after the other. */
function demoWithKills() {
  const seeds = []
  return {
    missing: () => (existsSync(demo) ? undefined : `${demo} is not there: npm run build makes it`),
    async round(number, from) {
      const code = await oneDemo(from + number)
      if (stop.code === 0) seeds.push(from + number)
      return code
    },
    summary: () =>
      seeds.length === 0
        ? []
        : [`kills: ${seeds.length} seeds from ${seeds[0]} to ${seeds.at(-1)}, ${KILLS} kills each`],
  }
}

const inLogCore = (name) => `packages/log-core/test/${name}.property.test.ts`
const inEventStore = (name) => `packages/event-store/test/${name}.property.test.ts`
const inSimulation = (name) => `test/simulation/${name}.property.test.ts`

const ofBroker = ['order', 'clustering', 'broadcasting', 'transactions', 'delay', 'retries']

/** What can be soaked. A package with campaigns of its own is one row. */
const kinds = {
  broker: campaigns(...ofBroker.map(inSimulation)),
  'log-core': campaigns(...['log', 'folds', 'retention', 'damage'].map(inLogCore)),
  saga: campaigns('packages/sagalog/test/simulate.property.test.ts'),
  'event-store': campaigns(...['linearizable', 'following'].map(inEventStore)),
  kills: demoWithKills(),
}

function misused(what) {
  const names = Object.keys(kinds).join('|')
  process.stderr.write(`${what}\nusage: npm run soak -- [${names}] [--minutes N]\n`)
  process.exit(2)
}

function readArguments() {
  try {
    const options = { minutes: { type: 'string', default: '10' } }
    const { positionals, values } = parseArgs({ allowPositionals: true, options })
    return { names: positionals, minutes: Number(values.minutes) }
  } catch (error) {
    return misused(error.message)
  }
}

const { names, minutes } = readArguments()
const [name = 'broker'] = names
const kind = kinds[name]
if (names.length > 1 || !Object.hasOwn(kinds, name)) misused(`not known: ${names.join(' ')}`)
if (!Number.isFinite(minutes) || minutes <= 0) misused('--minutes takes a number above 0')
const missing = kind.missing?.()
if (missing !== undefined) misused(missing)

const endMs = Date.now() + minutes * 60_000
const from = 1 + Math.floor(Math.random() * 1_000_000_000)
for (let round = 0; Date.now() < endMs && stop.code === 0; round += 1) {
  const code = await kind.round(round, from, endMs - Date.now())
  if (code !== 0) {
    process.exitCode = code
    break
  }
}
for (const line of kind.summary()) process.stdout.write(`[soak] ${line}\n`)
if (stop.code > 0) process.exitCode = stop.code
