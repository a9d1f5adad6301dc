/** Writes the report page: finds the chart library and puts it into the page. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type ReportPage, reportPage } from './report-page.js'

/** Writes the page to `path`. */
export function writeReport(path: string, page: Omit<ReportPage, 'chart'>): void {
  const { resolve } = createRequire(import.meta.url)
  const script = readFileSync(resolve('uplot/dist/uPlot.iife.min.js'), 'utf8')
  const style = readFileSync(resolve('uplot/dist/uPlot.min.css'), 'utf8')
  writeFileSync(path, reportPage({ ...page, chart: { script, style } }))
}
