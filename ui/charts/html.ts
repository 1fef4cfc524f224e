/** A comparison as one file that needs nothing else. */
import type { Comparison } from '../../scenarios/compare/comparison.ts';

/** @param script standalone.ts, bundled */
export function comparisonHtml(comparison: Comparison, script: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${escaped(comparison.program)} – skep compare</title>
  </head>
  <body>
    <main></main>
    <script type="application/json" id="comparison">${jsonText(JSON.stringify(comparison))}</script>
    <script>${scriptText(script)}</script>
  </body>
</html>
`;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** No '<' at all, so nothing in it can end the element. */
const jsonText = (json: string): string => json.replaceAll('<', '\\u003c');

/** Where code has these, it has them in strings. */
const scriptText = (code: string): string =>
  code.replaceAll('</script', '<\\/script').replaceAll('<!--', '\\x3c!--');
