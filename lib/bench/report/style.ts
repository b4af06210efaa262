/** The style sheets of plots and of the page. @module */
import { colourRules } from "./series.ts";

/** Colours of paper and ink, for light and for dark. */
function paperRules(root: string): string {
  return `${root}{color-scheme:light dark;--paper:#fff;--ground:#f5f6f8;--ink:#1a1f27;--soft:#596273;--faint:#dfe3e9;--edge:#c3cad4;--tint:#e3effc;--bad:#b3261e}
@media(prefers-color-scheme:dark){${root}{--paper:#171b21;--ground:#0f1216;--ink:#e7ebf0;--soft:#a0a9b6;--faint:#2a313b;--edge:#404a57;--tint:#15304d;--bad:#ff8a80}}`;
}

const FONT = `system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif`;

const PLOT = `svg text{font:12px ${FONT};fill:var(--ink)}
svg .tick,svg .axis-name{fill:var(--soft)}
svg .tick{font-size:11.5px;font-variant-numeric:tabular-nums}
svg .grid{stroke:var(--faint)}
svg .axis{stroke:var(--edge)}
svg .line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
svg .leader{fill:none;stroke:var(--c);stroke-dasharray:1 3;stroke-linecap:round;opacity:.8}
svg .whisker{stroke:var(--c);stroke-width:1.5;opacity:.7}
svg .mark{fill:var(--c);stroke:var(--paper);stroke-width:1}
svg .bar{fill:var(--c)}
svg .name{fill:var(--c);font-weight:600}
svg .roof{fill:none;stroke:var(--ink);stroke-width:2;stroke-linejoin:round}
svg .beyond{fill:var(--faint);opacity:.45}
svg .roof-name{fill:var(--soft);font-size:11.5px}`;

const PAGE = `*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 ${FONT}}
main{max-width:1360px;margin:0 auto;padding:32px 24px 56px}
h1{font-size:28px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:19px;margin:40px 0 12px;line-height:1.3}
h3{font-size:15px;margin:0}
p{margin:0 0 8px;max-width:78ch}
.lead{color:var(--soft);margin:0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(210px,1fr));gap:12px;margin:24px 0 0}
.card,figure,.box{background:var(--paper);border:1px solid var(--faint);border-radius:10px}
.card{padding:14px 16px}
.card b{display:block;font-size:24px;line-height:1.25;font-weight:650;font-variant-numeric:tabular-nums}
.card span{display:block;color:var(--soft);font-size:14px;line-height:1.35;margin-top:2px}
.plots{display:grid;grid-template-columns:1fr;gap:16px}
figure{margin:0;padding:16px 16px 12px;min-width:0}
figcaption{color:var(--soft);font-size:13.5px;line-height:1.4;margin-top:6px;max-width:72ch}
figure svg{display:block;width:100%;height:auto;margin-top:8px;overflow:visible}
figure svg.narrow{display:none}
.box{padding:16px;margin-top:16px;min-width:0}
.scroll{overflow-x:auto;margin-top:10px}
.scroll:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:14.5px;font-variant-numeric:tabular-nums}
th,td{padding:6px 12px;text-align:right;white-space:nowrap;border-top:1px solid var(--faint)}
thead th{border-top:0;color:var(--soft);font-weight:500;font-size:13px}
th.method{text-align:left;font-weight:600;position:sticky;left:0;background:var(--paper)}
thead th.method{font-weight:500}
td b{font-weight:600}
td small{display:block;color:var(--soft);font-size:12px;line-height:1.3}
td.best{background:var(--tint)}
td.none{color:var(--soft)}
td.wrong{color:var(--bad);font-weight:600}
.swatch{width:13px;height:13px;vertical-align:-1px;margin-right:8px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;margin:0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
pre{margin:10px 0 0;padding:12px 14px;background:var(--ground);border-radius:8px;white-space:pre-wrap;overflow-wrap:anywhere;font:13.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
ul{margin:8px 0 0;padding-left:20px}
li{margin:2px 0;overflow-wrap:anywhere}
.bad{border-color:var(--bad)}
.bad h3{color:var(--bad)}
footer{color:var(--soft);font-size:13.5px;margin-top:32px}
svg:has(.series:hover) .series:not(:hover){opacity:.25}
.series{transition:opacity .12s}
@media(min-width:1080px){.plots{grid-template-columns:1fr 1fr}}
@media(max-width:640px){main{padding:20px 14px 40px}h1{font-size:24px}.cards{grid-template-columns:1fr 1fr;gap:10px;margin-top:18px}.card{padding:12px}.card b{font-size:19px}.card span{font-size:13px}figure{padding:14px 6px 10px 8px}figure h3,figcaption{padding:0 6px}figure svg.wide{display:none}figure svg.narrow{display:block}.box{padding:14px}th,td{padding:6px 9px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}
@media(prefers-reduced-motion:reduce){.series{transition:none}}
@media print{body{background:#fff}figure,.box,.card{break-inside:avoid}}`;

/** The style sheet of the page. */
export function pageStyle(): string {
  return [paperRules(":root"), colourRules(":root"), PLOT, PAGE].join("\n");
}

/** A drawing as a file of its own, with its style and its paper. */
export function standalone(svg: string): string {
  const style = [paperRules("svg"), colourRules("svg"), PLOT].join("\n");
  return svg.replace(
    /^(<svg[^>]*>)/,
    `$1<style>${style}</style><rect width="100%" height="100%" fill="var(--paper)"/>`,
  );
}
