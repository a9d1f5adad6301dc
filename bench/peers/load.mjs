/** Runs a workflow in loops until the time is up, and prints what each took as one JSON line. */
export async function load(run, { callers, warmMs, ms }) {
  let count = 0
  const loops = async (durationMs, latenciesMs) => {
    const untilMs = performance.now() + durationMs
    const loop = async () => {
      while (performance.now() < untilMs) {
        const startedMs = performance.now()
        await run((count += 1))
        latenciesMs?.push(performance.now() - startedMs)
      }
    }
    await Promise.all(Array.from({ length: callers }, loop))
  }
  await loops(warmMs)
  const latenciesMs = []
  const startedMs = performance.now()
  await loops(ms, latenciesMs)
  const elapsedMs = performance.now() - startedMs
  process.stdout.write(`${JSON.stringify({ elapsedMs, latenciesMs })}\n`)
}

/** `[where, callers, milliseconds]` as the benchmark passes them. */
export function askedLoad() {
  const [where = '', callers = '1', ms = '1000'] = process.argv.slice(2)
  return { where, callers: Number(callers), ms: Number(ms), warmMs: Number(ms) / 2 }
}
