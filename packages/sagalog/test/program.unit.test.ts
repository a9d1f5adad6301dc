/** The command line itself: what a person reads who gave it something wrong, and its exit codes. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { errorText } from '../src/cli/error-text.js'
import { runProgram } from '../src/cli/program.js'
import { bytesText } from '../src/cli/words.js'
import { sagalog } from './terminal.js'

describe('wrong arguments', () => {
  test.each([
    [['log', 'ls'], "missing required argument 'dir'", 'sagalog log ls [options] <dir>'],
    [
      ['log', 'ls', 'a', '--jso'],
      "unknown option '--jso' (Did you mean --json?)",
      'sagalog log ls',
    ],
    [['log', 'ls', 'a', 'b'], 'too many arguments', 'sagalog log ls'],
    [['lgo'], "unknown command 'lgo' (Did you mean log?)", 'sagalog [options] [command]'],
    [['log', 'lss'], "unknown command 'lss' (Did you mean ls?)", 'sagalog log [options] [command]'],
  ])('%j: one line says what, one how, and the code is 2', async (args, what, usage) => {
    const { code, out, err } = await sagalog(args)
    expect([code, out]).toEqual([2, ''])
    const lines = err.trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain(`sagalog: ${what}`)
    expect(lines[1]).toContain(`usage: ${usage}`)
  })

  test.each([[[]], [['log']]])(
    '%j: the commands that there are, on the error stream',
    async (args) => {
      const { code, out, err } = await sagalog(args)
      expect([code, out]).toEqual([2, ''])
      expect(err).toContain('Commands:')
    },
  )
})

test('help and version are results: on the output, with code 0', async () => {
  const { code, out, err } = await sagalog(['log', '--help'])
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('Usage: sagalog log')
  expect(out).toContain('Exit code: 0 fine, 1')
  expect(await sagalog(['-V'])).toEqual({ code: 0, out: '1.2.3\n', err: '' })
})

test('a failure that was foreseen has no stack, one that was not has it', async () => {
  const { code, err } = await sagalog(['log', 'ls', '/is/not/there'])
  expect(code).toBe(1)
  expect(err).toBe(
    'sagalog: there is no log in /is/not/there: /is/not/there is not there\nCheck the path.\n',
  )
  expect(errorText(new TypeError('oops'))).toMatch(/report it: TypeError: oops\n +at /)
  expect(errorText('oops')).toContain('oops')
})

test('an action that throws what nobody foresaw ends with code 1 all the same', async () => {
  const told: string[] = []
  const terminal = {
    print: () => Promise.resolve(true),
    tell: (line: string) => void told.push(line),
    progress: undefined,
    columns: undefined,
  }
  const ports = { terminal } as unknown as Parameters<typeof runProgram>[2]
  const broken: Parameters<typeof runProgram>[1][number] = (program, context) => {
    program.command('break').action(context.act(() => Promise.reject(new Error('a bug'))))
  }
  expect(await runProgram(['break'], [broken], ports, '0')).toBe(1)
  expect(told.join()).toContain('Error: a bug')
})

test('bytes are told with a unit', () => {
  expect([0, 1023, 1024, 64 << 20, 3 * 2 ** 40].map(bytesText)).toEqual([
    '0 bytes',
    '1023 bytes',
    '1.0 KiB',
    '64.0 MiB',
    '3.0 TiB',
  ])
})

const sources = join(dirname(fileURLToPath(import.meta.url)), '..', 'src')

/** Everything that a file of this package loads: files by path, packages by name. */
function loadedBy(path: string, seen = new Set<string>()): ReadonlySet<string> {
  const imports = readFileSync(path, 'utf8').matchAll(/^(?:im|ex)port (?!type).* from '(.*)'$/gm)
  for (const [, source = ''] of imports) {
    const found = source.startsWith('.') ? join(dirname(path), source) : source
    if (seen.has(found)) continue
    seen.add(found)
    if (source.startsWith('.')) loadedBy(found.replace(/\.js$/, '.ts'), seen)
  }
  return seen
}

test('a program that imports sagalog does not load what the command line needs', () => {
  const library = [...loadedBy(join(sources, 'index.ts'))]
  expect(library).toContain(join(sources, 'open.js'))
  expect(library.filter((name) => /^(commander|cli-)|\/cli\//.test(name))).toEqual([])
  expect([...loadedBy(join(sources, 'cli', 'main.ts'))]).toContain('commander')
})
