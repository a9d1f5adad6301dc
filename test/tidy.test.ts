/**
 * The style guide as a test: names, sizes, the opening comment, and what must not be left in a
 * source. It reads the syntax tree, so that a word in a string or a comment is not taken for code.
 */
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  childrenOf,
  filesBelow,
  isSyntax,
  nameOf,
  readSources,
  type Syntax,
  top,
  visit,
} from './source-tree.js'

const folders = ['packages', 'examples', 'bench', 'test', 'scripts']
const files = folders.flatMap((folder) => readSources(folder, /\.(ts|mjs)$/))
const library = files.filter(({ path }) => /^packages\/[^/]+\/src\//.test(path))
const lineOf = (text: string, at: number): number => text.slice(0, at).split('\n').length
const linesOf = (text: string): number => text.replace(/\n$/, '').split('\n').length

describe('names', () => {
  const vague = /^(utils?|helpers?|common|misc|managers?|services?|impl|base|stuff|lib|shared)$/
  const kinds = /\.(unit|property|exhaustive|golden|contract|types|simulation|crash)\.test\.ts$/

  test('files are nouns in kebab case', () => {
    const wrong = files
      .map(({ path }) => path)
      .filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.(ts|mjs)$/.test(basename(path)))
    expect(wrong).toEqual([])
  })

  test('no file and no folder has a name that says nothing', () => {
    const wrong = files
      .map(({ path }) => path)
      .filter((path) => path.split(/[/.-]/).some((word) => vague.test(word)))
    // A path of an example may say service: there it is a thing of the business.
    expect(wrong.filter((path) => !/^examples\/.*service/.test(path))).toEqual([])
  })

  test('no exported name ends in a word that says nothing', () => {
    const wrong: string[] = []
    for (const { path, tree } of library)
      visit(tree, (node) => {
        const declared = node.type === 'ExportNamedDeclaration' ? node['declaration'] : undefined
        const name = isSyntax(declared) ? nameOf(declared['id']) : ''
        // A process manager is what the field calls a choreography's part.
        const isTerm = /[pP]rocessManager$/.test(name)
        if (!isTerm && /(Utils?|Helpers?|Manager|Service|Impl)$/.test(name))
          wrong.push(`${path}: ${name}`)
      })
    expect(wrong).toEqual([])
  })

  test('a test of a package says its kind', () => {
    const wrong = files
      .map(({ path }) => path)
      .filter((path) => /^packages\/.*\.test\.ts$/.test(path) && !kinds.test(path))
    expect(wrong).toEqual([])
  })
})

const functionKinds = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
])

/** Lines of a function that are not in a function inside it: a closure counts for itself. */
function ownLines(text: string, whole: Syntax): number {
  const linesBetween = (node: Syntax): number => text.slice(node.start, node.end).split('\n').length
  let lines = linesBetween(whole)
  const walk = (node: Syntax): void => {
    for (const [, child] of childrenOf(node))
      if (functionKinds.has(child.type)) lines -= linesBetween(child) - 1
      else walk(child)
  }
  walk(whole)
  return lines
}

describe('sizes', () => {
  test('no file is longer than 500 lines', () => {
    const wrong = files
      .filter(({ text }) => linesOf(text) > 500)
      .map(({ path, text }) => `${path}: ${linesOf(text)} lines`)
    expect(wrong).toEqual([])
  })

  test('nineteen of twenty library files have at most 350 lines', () => {
    const lengths = library.map(({ text }) => linesOf(text)).toSorted((left, right) => left - right)
    expect(lengths[Math.floor(lengths.length * 0.95)]).toBeLessThanOrEqual(350)
  })

  test('no function has more than 70 lines of its own', () => {
    const wrong: string[] = []
    for (const { path, text, tree } of files) {
      // What a test file describes is a list of tests, not a function with a task.
      if (path.endsWith('.test.ts')) continue
      visit(tree, (node) => {
        if (!functionKinds.has(node.type)) return
        const lines = ownLines(text, node)
        if (lines > 70) wrong.push(`${path}:${lineOf(text, node.start)}: ${lines} lines`)
      })
    }
    expect(wrong).toEqual([])
  })

  test('comments keep to 100 columns', () => {
    const wrong: string[] = []
    for (const { path, text } of files)
      for (const [index, line] of text.split('\n').entries())
        if (line.length > 100 && /^\s*(\/\/|\/?\*)/.test(line)) wrong.push(`${path}:${index + 1}`)
    expect(wrong).toEqual([])
  })
})

describe('contents', () => {
  test('every module opens with a comment that says what it is', () => {
    const onlyExports = (tree: Syntax): boolean =>
      childrenOf(tree).every(([, node]) => /^Export(Named|All)Declaration$/.test(node.type))
    const wrong = files
      .filter(({ path, tree }) => !path.endsWith('.test.ts') && !onlyExports(tree))
      .filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text))
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('no default exports, enums, namespaces or non-null assertions', () => {
    const banned = new Set([
      'ExportDefaultDeclaration',
      'TSEnumDeclaration',
      'TSModuleDeclaration',
      'TSNonNullExpression',
    ])
    const wrong: string[] = []
    for (const { path, text, tree } of files)
      visit(tree, (node) => {
        if (banned.has(node.type)) wrong.push(`${path}:${lineOf(text, node.start)}: ${node.type}`)
      })
    expect(wrong).toEqual([])
  })

  test('a library file exports by name, never everything', () => {
    const wrong = library.filter(({ tree }) =>
      childrenOf(tree).some(([, node]) => node.type === 'ExportAllDeclaration'),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('nothing is left open, and no test is skipped or alone', () => {
    // Written so that this file does not find itself.
    const open = /\b(TO[D]O|FIX[M]E|XX[X])\b/
    const alone = /\b(?:it|test|describe)\.(?:skip|only|todo)\b/
    const wrong = files.filter(
      ({ path, text }) => open.test(text) || (alone.test(text) && !path.endsWith('tidy.test.ts')),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('sources and documents speak of the program, not of its making', () => {
    const making = [
      /\b(claude|anthropic|copilot|chatgpt|llms?|language model|ai-generated)\b/i,
      /\b(issue #?\d+|walking skeleton|the brief|as instructed|as requested|vibe)\b/i,
      /\/work\/(main|shared|plan)\b/,
    ]
    const documents = ['.', 'docs', 'packages', 'examples', 'bench'].flatMap((folder) =>
      filesBelow(folder, folder === '.' ? /^[^/]+\.md$/ : /\.md$/),
    )
    const texts = [
      ...files.filter(({ path }) => path !== 'test/tidy.test.ts'),
      ...documents.map((path) => ({ path, text: readFileSync(join(top, path), 'utf8') })),
    ]
    const wrong: string[] = []
    for (const { path, text } of texts)
      for (const pattern of making) {
        const found = pattern.exec(text)
        if (found !== null) wrong.push(`${path}:${lineOf(text, found.index)}: ${found[0]}`)
      }
    expect(wrong).toEqual([])
  })
})
