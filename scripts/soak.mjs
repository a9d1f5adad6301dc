/**
 * Looks for failures on seeds that nobody has tried, until the time is up or something breaks.
 * `properties` runs the simulated properties, one after the other; `kills` runs the demo with 20
 * kills, one seed after the other. What fails names the seed, and the line that runs it again.
 *
 *   node scripts/soak.mjs [properties|kills] [--minutes N]     properties, 10 minutes unless told
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const top = dirname(dirname(fileURLToPath(import.meta.url)))
const vitest = join(top, 'node_modules', 'vitest', 'vitest.mjs')
const demo = join(top, 'examples', 'orders', 'dist', 'main.js')
const properties = ['order', 'clustering', 'broadcasting']
const KILLS = 20

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

/** One property on fresh seeds, for a minute at most. Gives the exit code. */
async function someProperties(round, from, leftMs) {
  const boxS = Math.max(1, Math.min(60, Math.round(leftMs / 1_000)))
  const file = `test/simulation/${properties[round % properties.length]}.property.test.ts`
  const env = { SAGALOG_FROM: String(from + round * 10_000), SAGALOG_BOX_S: String(boxS) }
  return (await node([vitest, 'run', file], { env })).code
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

function misused(what) {
  process.stderr.write(`${what}\nusage: npm run soak -- [properties|kills] [--minutes N]\n`)
  process.exit(2)
}

function readArguments() {
  try {
    const options = { minutes: { type: 'string', default: '10' } }
    const { positionals, values } = parseArgs({ allowPositionals: true, options })
    return { kinds: positionals, minutes: Number(values.minutes) }
  } catch (error) {
    return misused(error.message)
  }
}

const { kinds, minutes } = readArguments()
const [kind = 'properties'] = kinds
if (kinds.length > 1 || !['properties', 'kills'].includes(kind))
  misused(`not known: ${kinds.join(' ')}`)
if (!Number.isFinite(minutes) || minutes <= 0) misused('--minutes takes a number above 0')
if (kind === 'kills' && !existsSync(demo)) misused(`${demo} is not there: npm run build makes it`)

const endMs = Date.now() + minutes * 60_000
const from = 1 + Math.floor(Math.random() * 1_000_000_000)
for (let round = 0; Date.now() < endMs && stop.code === 0; round += 1) {
  const leftMs = endMs - Date.now()
  const code = await (kind === 'kills'
    ? oneDemo(from + round)
    : someProperties(round, from, leftMs))
  if (code !== 0) {
    process.exitCode = code
    break
  }
}
if (stop.code > 0) process.exitCode = stop.code
