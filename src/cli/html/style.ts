const LIGHT = `--bg:#fff;--fg:#1b1f24;--muted:#57606a;--line:#d0d7de;--panel:#f6f8fa;--link:#0a58ca;--mark:#fff3c4;
--image:#cfe3fb;--shared:#ffd7a3;--chart:#c6ead0;--file:#e2d9f5;--rest:#e3e6ea;--hatch:#b36b00;
--ok:#0f6b2f;--warn:#8a4b00;--bad:#b3121d;--none:#57606a`

const DARK = `--bg:#0f1419;--fg:#e6edf3;--muted:#9aa7b4;--line:#30363d;--panel:#171d25;--link:#79b8ff;--mark:#4a3d0c;
--image:#1d4168;--shared:#6b4310;--chart:#1f5130;--file:#453a66;--rest:#3a4149;--hatch:#e0a458;
--ok:#5fd38a;--warn:#f0b35a;--bad:#ff8a80;--none:#9aa7b4`

/** How the report looks: on screens of any width, light and dark, and on paper. */
export const STYLE = `:root{color-scheme:light;${LIGHT}}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;${DARK}}}
:root[data-theme=dark]{color-scheme:dark;${DARK}}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,header,footer,nav{max-width:76rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.5rem}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-100vw}
.skip:focus{left:1rem;top:1rem;background:var(--bg);padding:.5rem 1rem;z-index:1}
.top{display:flex;gap:1rem;align-items:flex-start;justify-content:space-between}
h1{font-size:1.75rem;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.5rem 0 .5rem}
h3{font-size:1rem;margin:1.25rem 0 .25rem;overflow-wrap:anywhere}
p{margin:.25rem 0 .75rem;max-width:60rem}
.muted,.about{color:var(--muted)}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;margin:.75rem 0 0;list-style:none}
button,input,select{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--muted);border-radius:6px;padding:.3rem .6rem}
button{cursor:pointer}
code,.digest{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.8125rem;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(15rem,45%),1fr));gap:.75rem;margin:1rem 0 0}
.cards div{border:1px solid var(--line);border-left:4px solid var(--line);border-radius:6px;background:var(--panel);padding:.6rem .8rem;min-width:0;overflow-wrap:anywhere}
.cards dt{color:var(--muted);font-size:.8125rem}
.cards dd{margin:0;font-size:1.25rem;font-weight:600;line-height:1.3}
.cards dd+dd{font-size:.875rem;font-weight:400;color:var(--muted)}
.cards .ok{border-left-color:var(--ok)}.cards .warn{border-left-color:var(--warn)}.cards .bad{border-left-color:var(--bad)}
.ok b,b.ok{color:var(--ok)}.warn b,b.warn{color:var(--warn)}.bad b,b.bad{color:var(--bad)}.none b,b.none{color:var(--none)}
svg.defs{position:absolute}
svg.map{display:block;width:100%;height:auto}
svg.narrow{display:none}
svg.map rect{stroke:var(--bg);stroke-width:.6}
svg.map .edge{fill:none;stroke:var(--bg);stroke-width:3;pointer-events:none}
svg.map a:hover .edge,svg.map a:focus .edge{stroke:var(--fg)}
svg.map a:focus{outline:none}
svg.map text{fill:var(--fg);font-size:12px;pointer-events:none}
svg.map text.size{font-size:11px}
.image{fill:var(--image)}.shared{fill:var(--shared)}.chart{fill:var(--chart)}.file{fill:var(--file)}.rest{fill:var(--rest)}
.hatch{stroke:var(--hatch);stroke-width:1;opacity:.45}
svg.map rect.lines{stroke:none;pointer-events:none}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;margin:.5rem 0;list-style:none;font-size:.875rem}
.legend svg,.bar{vertical-align:middle}
.legend rect,.bar rect{stroke:var(--muted);stroke-width:.5}
#details{min-height:1.5rem;font-size:.875rem;overflow-wrap:anywhere}
.controls{display:flex;flex-wrap:wrap;gap:.75rem;align-items:end;margin:.75rem 0}
.controls label{display:block;font-size:.8125rem;color:var(--muted)}
.controls input{width:min(22rem,80vw)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.45rem .6rem;border-bottom:1px solid var(--line)}
thead th,thead th.name{font-weight:600;border-bottom:2px solid var(--line);font-size:.875rem;white-space:nowrap}
th button{border:0;background:none;padding:0;font-weight:inherit}
th button::after{content:" \\2195";color:var(--muted)}
th[aria-sort=ascending] button::after{content:" \\2191";color:var(--fg)}
th[aria-sort=descending] button::after{content:" \\2193";color:var(--fg)}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td.name,th.name{min-width:15rem;overflow-wrap:anywhere;font-weight:400}
td.wrap{overflow-wrap:anywhere}
td .digest,td .about,th .digest,th .about{display:block;color:var(--muted)}
th .about,td .about{font-size:.8125rem}
#contents{table-layout:fixed;min-width:60rem}
.kind{width:4.5rem}.platforms{width:9rem}.layers{width:5.5rem}.size,.own{width:6.5rem}.bars{width:9rem}.licences{width:8rem}
tr:target{background:var(--mark)}
.long summary{cursor:pointer}
ul.plain{margin:0;padding:0;list-style:none}
ul.open>li{border-left:4px solid var(--bad);padding:.1rem .75rem;margin:.5rem 0;overflow-wrap:anywhere}
ul.open>li.accepted{border-left-color:var(--line)}
footer{padding-top:2rem;padding-bottom:3rem;color:var(--muted);font-size:.875rem}
@media screen and (max-width:44rem){svg.wide{display:none}svg.narrow{display:block}
thead{position:absolute;left:-100vw}#contents{min-width:0}table,tbody,tr,td,th{display:block}
tr{border-bottom:2px solid var(--line);padding:.5rem 0}td,th{border:0;padding:.1rem 0}.number{text-align:left;white-space:normal}
td[data-label]::before{content:attr(data-label) ": ";color:var(--muted)}td .about,td .digest{display:inline;margin-left:.5rem}}
@media (prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
@media (forced-colors:active){svg.map rect,.bar rect,.legend rect{forced-color-adjust:none}}
@page{margin:14mm 12mm}
@media print{:root,:root[data-theme=dark],:root:not([data-theme=light]){color-scheme:light;${LIGHT}}
body{font-size:10pt}main,header,footer,nav{max-width:none;padding-left:0;padding-right:0}
nav,.controls,#theme,#details,.skip,.bars,.layers{display:none!important}
h2,h3,section>p,.legend{break-after:avoid}h2{margin-top:1.25rem}tr,.cards div,svg.map,ul.open>li{break-inside:avoid}thead{display:table-header-group}
svg,.cards div,b{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.scroll{overflow:visible}table{font-size:8.5pt}th,td{padding:.3rem .4rem}code,.digest,th .about,td .about{font-size:7pt}
th button{display:contents}th button::after{content:""!important}td.name,th.name{min-width:0}a{color:inherit;text-decoration:none}
#contents{min-width:0}.kind{width:3.4rem}.platforms{width:6.2rem}.size,.own{width:4.6rem}.licences{width:6rem}}
`
