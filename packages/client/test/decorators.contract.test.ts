/** The decorator on built output: compiled as a standard and as a legacy one, run by Node alone. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { Connection } from '../src/index.js'
import { listenWith } from '../src/decorators/index.js'

const here = dirname(fileURLToPath(import.meta.url))
const tsc = join(here, '../../../node_modules/typescript/bin/tsc')

function compiled(isLegacy: boolean): { output: string; text: string } {
  // Inside the package, so that its own name leads to what was built.
  const folder = mkdtempSync(join(here, 'decorated', 'built-'))
  try {
    const settings = ['--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', '--strict']
    const form = ['--experimentalDecorators', String(isLegacy)]
    const program = join(here, 'decorated', 'program.ts')
    const root = ['--rootDir', dirname(program)]
    const types = [...root, '--types', 'node', '--ignoreConfig', '--outDir', folder]
    execFileSync(process.execPath, [tsc, ...settings, ...form, ...types, program], {
      stdio: 'pipe',
    })
    const file = join(folder, 'program.js')
    const output = execFileSync(process.execPath, [file], { encoding: 'utf8', timeout: 60_000 })
    return { output: output.trim(), text: readFileSync(file, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

it.each([
  ['standard', false, '__esDecorate'],
  ['legacy', true, '__decorate'],
] as const)(
  'a class is a listener, as a %s decorator',
  (_, isLegacy, mark) => {
    const { output, text } = compiled(isLegacy)
    expect(text).toContain(`${mark}(`)
    expect(output).toBe('shipped a, shipped c')
  },
  120_000,
)

it('an instance of a class without the decorator is a wrong program', () => {
  class Plain {
    async onMessage(): Promise<void> {}
  }
  expect(() => listenWith({} as Connection, new Plain(), { instance: 'i' })).toThrow(
    'Plain is decorated with @MessageListener',
  )
})
