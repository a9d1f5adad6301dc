/**
 * The demo with kills again and again, each run with a seed and a directory of its own. A run whose
 * audit fails keeps its directory and is named, so that it can be looked at and run again.
 *
 * usage: npm run soak -- [--runs 10] [--kills 20] [--seed S] [--orders N]
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { top } from './setup.mjs'

const demo = join(top, 'examples', 'orders', 'dist', 'main.js')
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    orders: { type: 'string' },
  },
})
const runs = Number(values.runs)
const firstSeed = Number(values.seed)

/** Runs the demo to its verdict; its output is shown only when it fails. */
function runDemo(seed, directory) {
  const args = [demo, '--kills', values.kills, '--seed', String(seed), '--dir', directory, '--json']
  if (values.orders !== undefined) args.push('--orders', values.orders)
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: top, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = []
    child.stdout.on('data', (bytes) => output.push(bytes))
    child.stderr.on('data', (bytes) => output.push(bytes))
    child.on('close', (code, signal) => {
      if (code !== 0) process.stdout.write(Buffer.concat(output))
      resolve({ isPassed: code === 0, isStopped: signal === 'SIGINT' || code === 130 })
    })
  })
}

let passed = 0
const failedSeeds = []
for (let run = 0; run < runs; run += 1) {
  const seed = firstSeed + run
  const directory = join(mkdtempSync(join(tmpdir(), 'sagalog-soak-')), 'run')
  const startedMs = Date.now()
  const { isPassed, isStopped } = await runDemo(seed, directory)
  if (isStopped) process.exit(130)
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1)
  const verdict = isPassed ? 'passed' : `FAILED, kept in ${directory}`
  console.log(`seed ${seed}: ${values.kills} kills in ${seconds} s, audit ${verdict}`)
  if (isPassed) {
    passed += 1
    rmSync(join(directory, '..'), { recursive: true, force: true })
  } else failedSeeds.push(seed)
}
console.log(
  `${passed} of ${runs} audits passed over ${runs * Number(values.kills)} kills, ` +
    `seeds ${firstSeed} to ${firstSeed + runs - 1}` +
    (failedSeeds.length > 0 ? `; failed: ${failedSeeds.join(', ')}` : ''),
)
process.exitCode = failedSeeds.length === 0 ? 0 : 1
