/**
 * Reads the sources of the workspace for the tests that judge them: where they are, what they
 * import, and their syntax trees. It looks at files only and never runs what it reads.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAst } from 'vitest/node'

export const top = dirname(dirname(fileURLToPath(import.meta.url)))
const skipped = new Set(['node_modules', 'dist', '.git', '.planted', '.sagalog-demo', 'data'])

/** A node of the syntax tree, seen without its type: the tests ask for few kinds. */
export interface Syntax {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export interface Import {
  readonly source: string
  /** Names taken, as the exporting module calls them; empty for a whole module. */
  readonly names: readonly string[]
  /** True when nothing of it is left at run time. */
  readonly isTypeOnly: boolean
}

export interface SourceFile {
  /** From the top of the workspace, with `/`. */
  readonly path: string
  readonly text: string
  readonly tree: Syntax
  readonly imports: readonly Import[]
}

/** All files below a folder whose path matches, from the top of the workspace. */
export function filesBelow(folder: string, matches: RegExp): readonly string[] {
  const found: string[] = []
  const walk = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (skipped.has(entry.name)) continue
      const path = join(at, entry.name)
      if (entry.isDirectory()) walk(path)
      else {
        const fromTop = relative(top, path).split(sep).join('/')
        if (matches.test(fromTop)) found.push(fromTop)
      }
    }
  }
  if (existsSync(join(top, folder))) walk(join(top, folder))
  return found.toSorted()
}

export const isSyntax = (value: unknown): value is Syntax =>
  typeof value === 'object' && value !== null && 'type' in value && 'start' in value

export function childrenOf(node: Syntax): readonly (readonly [key: string, child: Syntax])[] {
  const children: (readonly [string, Syntax])[] = []
  for (const [key, value] of Object.entries(node)) {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    for (const item of list) if (isSyntax(item)) children.push([key, item])
  }
  return children
}

/** Visits a node and everything below it, parents first. */
export function visit(node: Syntax, see: (node: Syntax) => void): void {
  see(node)
  for (const [, child] of childrenOf(node)) visit(child, see)
}

/** The name of an identifier or the value of a string; empty for anything else. */
export function nameOf(value: unknown): string {
  const name = isSyntax(value) ? (value['name'] ?? value['value']) : undefined
  return typeof name === 'string' ? name : ''
}

function importOf(node: Syntax): Import | undefined {
  const from =
    node['type'] === 'TSImportType' ? (node['argument'] ?? node['source']) : node['source']
  if (!isSyntax(from)) return undefined
  const literal = isSyntax(from['literal']) ? from['literal'] : from
  if (typeof literal['value'] !== 'string') return undefined
  const specifiers = Array.isArray(node['specifiers']) ? node['specifiers'].filter(isSyntax) : []
  const isTypeOnly =
    node.type === 'TSImportType' || node['importKind'] === 'type' || node['exportKind'] === 'type'
  const names = specifiers.map((specifier) => nameOf(specifier['imported'] ?? specifier['local']))
  return { source: literal['value'], names: names.filter((name) => name !== ''), isTypeOnly }
}

function importsOf(tree: Syntax): readonly Import[] {
  const kinds = new Set([
    'ImportDeclaration',
    'ExportNamedDeclaration',
    'ExportAllDeclaration',
    'ImportExpression',
    'TSImportType',
  ])
  const imports: Import[] = []
  visit(tree, (node) => {
    const found = kinds.has(node.type) ? importOf(node) : undefined
    if (found !== undefined) imports.push(found)
  })
  return imports
}

export function readSource(path: string): SourceFile {
  const text = readFileSync(join(top, path), 'utf8')
  const program: unknown = parseAst(text, { lang: path.endsWith('.mjs') ? 'js' : 'ts' })
  if (!isSyntax(program)) throw new Error(`no syntax tree for ${path}`)
  return { path, text, tree: program, imports: importsOf(program) }
}

export function readSources(folder: string, matches: RegExp): readonly SourceFile[] {
  return filesBelow(folder, matches).map(readSource)
}

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly license?: string
  readonly type?: string
  readonly engines?: { readonly node: string }
  readonly files?: readonly string[]
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

export function readJson<Shape>(path: string): Shape {
  const value: Shape = JSON.parse(readFileSync(join(top, path), 'utf8'))
  return value
}

/** The folders of the published packages, each with its manifest. */
export const packages = readdirSync(join(top, 'packages'))
  .toSorted()
  .filter((name) => existsSync(join(top, 'packages', name, 'package.json')))
  .map((name) => ({
    folder: `packages/${name}`,
    manifest: readJson<Manifest>(`packages/${name}/package.json`),
  }))
