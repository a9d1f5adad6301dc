/**
 * Runs the simulated properties on seeds that nobody has tried, one property after the other, until
 * the time is up or one of them breaks. The output of a failure names the seed that replays it.
 *
 *   node scripts/soak.mjs [minutes]     10 unless told
 */
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = dirname(dirname(fileURLToPath(import.meta.url)))
const minutes = Number(process.argv[2] ?? 10)
if (!Number.isFinite(minutes) || minutes <= 0) {
  process.stderr.write('usage: node scripts/soak.mjs [minutes]\n')
  process.exit(2)
}
const vitest = join(top, 'node_modules', 'vitest', 'vitest.mjs')
const properties = ['order', 'clustering', 'broadcasting']
const endMs = Date.now() + minutes * 60_000
let from = Math.floor(Math.random() * 1_000_000_000)
for (let round = 0; Date.now() < endMs; round += 1) {
  const leftMs = endMs - Date.now()
  const boxS = Math.max(1, Math.min(60, Math.round(leftMs / 1_000)))
  const file = `test/simulation/${properties[round % properties.length]}.property.test.ts`
  const { status } = spawnSync(process.execPath, [vitest, 'run', file], {
    cwd: top,
    stdio: 'inherit',
    env: { ...process.env, SAGALOG_FROM: String(from), SAGALOG_BOX_S: String(boxS) },
  })
  if (status !== 0) {
    process.exitCode = status ?? 1
    break
  }
  from += 10_000
}
