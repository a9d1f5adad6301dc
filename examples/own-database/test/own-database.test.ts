/** The shop dies on both sides of the commit of its database: nothing is told that is not so. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** Runs the shop until it is killed, or has said all of it and is asked to end. */
function run(args: readonly string[], until: readonly string[] = []): Promise<readonly string[]> {
  expect(existsSync(program), 'run npm run build first').toBe(true)
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  return new Promise((resolve) => {
    let output = ''
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString()
      if (until.length > 0 && until.every((line) => output.includes(`${line}\n`)))
        child.kill('SIGTERM')
    })
    child.on('close', () => resolve(output.split('\n').filter((line) => line !== '')))
  })
}

test('an order and its message are both there or neither, wherever the process dies', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sagalog-own-database-'))
  try {
    const first = await run([directory, 'a:500', 'b:700:after'])
    expect(first).toContain('placed a')
    expect(first.join()).not.toContain('b')
    const second = await run([directory, 'c:900:before'])
    const third = await run(
      [directory, 'd:-1', 'e:300'],
      ['asked about c: rollback', 'shipped b for 700 cents', 'shipped e for 300 cents'].slice(
        second.includes('shipped b for 700 cents') ? 2 : 0,
      ),
    )
    const all = [...first, ...second, ...third]
    const shipped = all.filter((line) => line.startsWith('shipped'))
    expect(shipped.toSorted()).toEqual([
      'shipped a for 500 cents',
      'shipped b for 700 cents',
      'shipped e for 300 cents',
    ])
    expect(all).toContain('refused d')
    expect(all.at(-1)).toBe('in the database: a b e')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}, 120_000)
