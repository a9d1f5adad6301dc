/**
 * Runs the two programs as two processes that meet on loopback, and then the broker alone again.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const programOf = (name: string): string =>
  fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url))

interface Running {
  readonly child: ChildProcess
  /**
   * Resolves with everything written so far once `pattern` is in it; rejects when it ends before.
   */
  says(pattern: RegExp): Promise<string>
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>
}

const running: Running[] = []

function start(name: string, args: readonly string[], cwd: string): Running {
  const program = programOf(name)
  expect(existsSync(program), 'run npm run build first').toBe(true)
  const child = spawn(process.execPath, [program, ...args], { cwd })
  let output = ''
  const hear = (bytes: Buffer): void => {
    output += bytes.toString()
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const ended: Running['ended'] = new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, output }))
  })
  const says = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(output)) resolve(output)
      }
      child.stdout.on('data', look)
      child.on('close', () => reject(new Error(`${name} ended: ${output}`)))
      look()
    })
  const one = { child, says, ended }
  running.push(one)
  return one
}

afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGKILL')
    await ended
  }
})

test('a consumer in another process gets every order, each customer in order', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'sagalog-two-processes-'))
  try {
    const broker = start('broker', ['./data', '0'], cwd)
    const greeting = await broker.says(/listening on 127\.0\.0\.1:\d+/)
    const [, port = ''] = /:(\d+)/.exec(greeting) ?? []
    await broker.says(/sent order 10 /)

    const { code, output } = await start('consumer', [port], cwd).ended
    expect(code, output).toBe(0)
    for (const customer of ['ada', 'grace']) {
      const pattern = new RegExp(`packed order (\\d+) of ${customer} `, 'g')
      const orders = [...output.matchAll(pattern)].map(([, order]) => Number(order))
      expect(orders).toEqual(customer === 'ada' ? [2, 4, 6, 8, 10] : [1, 3, 5, 7, 9])
    }
    broker.child.kill('SIGTERM')
    expect((await broker.ended).code).toBe(0)
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
})

test('a broker on a used directory says whose it is, without a stack', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'sagalog-two-processes-'))
  try {
    await start('broker', ['./data', '0'], cwd).says(/sent order 10 /)
    const { code, output } = await start('broker', ['./data', '0'], cwd).ended
    expect(code).toBe(1)
    expect(output).toContain('in use')
    expect(output).not.toMatch(/^\s+at /m)
    expect(output.trim().split('\n')).toHaveLength(2)
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
})

test('a consumer without a broker says that it waits', async () => {
  const { says } = start('consumer', ['1'], tmpdir())
  await says(/waiting for 10 orders from the broker on 127\.0\.0\.1:1 /)
})
