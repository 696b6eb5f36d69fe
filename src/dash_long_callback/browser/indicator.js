/* Made from browser/ by scripts/build-browser: do not edit. */
"use strict";(()=>{var dark=window.matchMedia("(prefers-color-scheme: dark)");function declaredScheme(){for(let one of[document.documentElement,
document.body])for(let name of["data-mantine-color-scheme","data-bs-theme"]){let value=one.getAttribute(name);if(value===
"light"||value==="dark")return value}let schemes=getComputedStyle(document.documentElement).colorScheme.split(" "),[light,
dark2]=[schemes.includes("light"),schemes.includes("dark")];return light===dark2?null:dark2?"dark":"light"}function paintedScheme(){
let painted=[document.body],one=document.elementFromPoint(window.innerWidth/2,window.innerHeight/2);for(;one instanceof HTMLElement;one=
one.parentElement)painted.splice(-1,0,one);for(let one2 of painted){let[red,green,blue,alpha=1]=(getComputedStyle(one2).
backgroundColor.match(/[\d.]+/g)||[0,0,0,0]).map(Number);if(alpha>.5)return .3*red+.6*green+.1*blue<110?"dark":"light"}return null}
function schemeOfPage(){let both=/light dark|dark light/.test(getComputedStyle(document.documentElement).colorScheme);return declaredScheme()||
(both?null:paintedScheme())||(dark.matches?"dark":"light")}function hasEnded({state}){return state==="succeeded"||state==="failed"||state==="cancelled"}function later(status,seconds){
let left=value=>value===null?null:Math.max(0,value-seconds),{state,elapsed,wait,remaining,retry_in}=status;return{...status,
elapsed:elapsed!==null&&(state==="running"||state==="cancelling")?elapsed+seconds:elapsed,wait:left(wait),remaining:left(
remaining),retry_in:left(retry_in)}}function once(make){let made;return()=>(made=made||{value:make()}).value}var page=window,clientside=page.dash_clientside=page.dash_clientside||{};function random(bytes){let numbers=crypto.getRandomValues(
new Uint8Array(bytes));return btoa(String.fromCharCode(...numbers)).replace(/\+/g,"-").replace(/\//g,"_").replace(/=/g,"")}
var TAB=random(16);function json(id){let element2=document.getElementById(id);return element2?JSON.parse(element2.textContent||
"null"):null}var dashConfig=once(()=>json("_dash-config")||{}),settings=once(()=>json("_dash-long-callbacks")||{patience:0,
stream:!1,callbacks:{}}),prefix=once(()=>dashConfig().requests_pathname_prefix||"/");var SENTENCES={failed:"Something went wrong. Try again.",timed_out:"This took too long and was stopped. Try again.",expired:"\
This could not be started in time. Try again later.",lost:"This was interrupted before it had finished. Try again.",stopped:"\
The server was stopped before this had finished. Try again.",refused:"The server could not start this. Try again in a mo\
ment.",limit:"Too many of these are running. Try again later.",unavailable:"The server can't run this at the moment. Try\
 again later.",not_stored:"The result could not be stored. Try again later.",session:"Your session has expired. Log in a\
gain and reload the page; jobs that still run are found again.",changed:"The app has changed since this was started. Run\
 it again.","changed reload":"The app has changed since this page was loaded. Reload the page.",gone:"The result is not \
available any more. Run it again.",unreachable:"The server can't be reached. Check your connection and try again.","unre\
achable reload":"The server can't be reached. If the job still runs, reload the page to find it again.",library:"A part \
of the result could not be loaded. Reload the page."};function sentenceOf(sentences,{kind,message,reload}){return reload&&
sentences[`${kind} reload`]||sentences[kind]||message||sentences.failed}var TEXT_MAX=600,TEXTS={en:{...SENTENCES,cancelled:"Cancelled",finished:"Finished",waiting:"Waiting",next:"next in line",
ahead:"{count} ahead",running:"Running",retry:"Try {attempt} in {time}","retry 2":"Second try in {time}","retry 3":"Thir\
d try in {time}",attempt:"try {attempt}","attempt 2":"second try","attempt 3":"third try",reconnecting:"Connection lost.\
 Trying again…",connected:"Connected again",cancelling:"Stopping…",about:"about {time}",left:"about {time} left",of:"\
{done} of {total}",each_second:"{rate} per second",stop:"Stop",try_again:"Try again",reload:"Reload",dismiss:"Dismiss",number:"\
no.",times:"times",progress:"Progress",jobs:"Running jobs"},es:{failed:"Algo ha salido mal. Inténtelo de nuevo.",timed_out:"\
Ha tardado demasiado y se ha detenido. Inténtelo de nuevo.",expired:"No se ha podido empezar a tiempo. Inténtelo más ta\
rde.",lost:"Se ha interrumpido antes de terminar. Inténtelo de nuevo.",stopped:"El servidor se ha detenido antes de ter\
minar. Inténtelo de nuevo.",refused:"El servidor no ha podido empezar. Inténtelo de nuevo en un momento.",limit:"Hay d\
emasiadas tareas como esta en marcha. Inténtelo más tarde.",unavailable:"El servidor no puede hacerlo en este momento.\
 Inténtelo más tarde.",not_stored:"No se ha podido guardar el resultado. Inténtelo más tarde.",gone:"El resultado ya\
 no está disponible. Ejecútelo de nuevo.",unreachable:"No se puede conectar con el servidor. Compruebe su conexión e i\
nténtelo de nuevo.","unreachable reload":"No se puede conectar con el servidor. Si la tarea sigue en marcha, recargue l\
a página para volver a encontrarla.",session:"Su sesión ha caducado. Inicie sesión de nuevo y recargue la página; las t\
areas que siguen en marcha se encontrarán de nuevo.",changed:"La aplicación ha cambiado desde que se inició esto. Ejecú\
telo de nuevo.","changed reload":"La aplicación ha cambiado desde que se cargó esta página. Recargue la página.",library:"\
No se ha podido cargar una parte del resultado. Recargue la página.",cancelled:"Cancelado",finished:"Terminado",waiting:"\
En espera",next:"el siguiente",ahead:"{count} por delante",running:"En marcha",retry:"Intento {attempt} en {time}","retr\
y 2":"Segundo intento en {time}","retry 3":"Tercer intento en {time}",attempt:"intento {attempt}","attempt 2":"segundo i\
ntento","attempt 3":"tercer intento",reconnecting:"Conexión perdida. Reintentando…",connected:"Conexión recuperada",
cancelling:"Deteniendo…",about:"unos {time}",left:"quedan unos {time}",of:"{done} de {total}",each_second:"{rate} por \
segundo",stop:"Detener",try_again:"Reintentar",reload:"Recargar",dismiss:"Cerrar",number:"n.º",times:"veces",progress:"\
Progreso",jobs:"Tareas en marcha"}},all=once(()=>{let own=settings().texts||{},names=new Set([...Object.keys(TEXTS),...Object.
keys(own)]);return Object.fromEntries([...names].map(name=>[name,{...TEXTS[name]||TEXTS.en,...own[name]}]))});function language(){
let wanted=(document.documentElement.lang||navigator.language||"").toLowerCase(),known=Object.keys(all()),find=one=>known.
find(name=>name.toLowerCase()===one);return find(wanted)||find(wanted.split("-")[0])||"en"}function texts(){return all()[language()]}
function say(name,values={}){return texts()[name].replace(/\{(\w+)\}/g,(all3,key)=>String(values[key]??all3))}function textOf(failure){
let{user,message}=failure;return user?message.length>TEXT_MAX?message.slice(0,TEXT_MAX)+"…":message:sentenceOf(texts(),
failure)}function stringify(id){return page.dash_component_api.stringifyId(id)}var ABOVE="dialog, [popover], [role=dialog], [aria-modal]";function targetOf(ids){let elements=ids.map(id=>document.getElementById(
stringify(id))).filter(one=>one!==null),element2=elements.find(one=>{let{width}=one.getBoundingClientRect();return width>
0&&getComputedStyle(one).visibility!=="hidden"});return{found:elements.length>0,element:element2||null}}function hostOf(target){
for(let one=target.parentElement;one&&one!==document.body;one=one.parentElement)if(one.matches(ABOVE)||getComputedStyle(
one).position==="fixed")return one;return document.body}function boxOf(target,host){let{left,top,right,bottom}=target.getBoundingClientRect(),
empty=bottom-top;for(let one=target.parentElement;one&&one!==host&&one!==document.body;one=one.parentElement){let{overflowX,
overflowY}=getComputedStyle(one);if(overflowX==="visible"&&overflowY==="visible")continue;let box=one.getBoundingClientRect();
[left,top]=[Math.max(left,box.left),Math.max(top,box.top)],[right,bottom]=[Math.min(right,box.right),Math.min(bottom,box.
bottom)]}return right>left&&(bottom>top||bottom===top&&!empty)?{left,top,right,bottom}:null}var LOW=64,NARROW=240,EDGE=8,MARK="data-long-callback",origins=new WeakMap;function originOf(host){let origin=origins.get(
host);return origin||(origin=document.createElement("div"),origin.className="long-callback-indicators",origin.setAttribute(
"role","region"),origins.set(host,origin)),origin.setAttribute("aria-label",say("jobs")),origin.isConnected||host.append(
origin),origin}var Overlay=class{constructor(target){this.target=target,this.rows=new Set,this.element=document.createElement(
"div"),this.element.className="long-callback-indicator",this.card=document.createElement("div"),this.card.className="lon\
g-callback-indicator-card",this.element.append(this.card),target===null&&(this.element.dataset.place="corner"),this.host=
target===null?document.body:hostOf(target),this.resized=new ResizeObserver(()=>requestAnimationFrame(()=>this.place())),
target&&this.resized.observe(target),this.resized.observe(this.host)}add(row){row.element.parentElement!==this.card&&(this.
rows.add(row),this.card.append(row.element))}remove(row){this.rows.delete(row)&&row.element.remove()}draw(scheme){let states=Array.
from(this.rows,row=>row.element.dataset.state||""),busy=states.some(state=>!["failed","cancelled","succeeded"].includes(
state));this.element.dataset.scheme=scheme,this.element.classList.toggle("long-callback-indicator-busy",busy),this.target&&
(this.target.setAttribute(MARK,states[0]||""),busy?this.target.setAttribute("aria-busy","true"):this.target.removeAttribute(
"aria-busy")),this.place()}place(){if(!this.rows.size)return;let{target,element:element2}=this,origin=originOf(this.host);
element2.parentElement!==origin&&origin.append(element2);let box=target&&boxOf(target,this.host);if(element2.hidden=target!==
null&&!box,box){let{left,top}=origin.getBoundingClientRect(),[width,height]=[box.right-box.left,box.bottom-box.top];Object.
assign(element2.style,{left:`${box.left-left}px`,top:`${box.top-top}px`,width:`${width}px`,height:`${height}px`});let low=height<
LOW;element2.dataset.low=String(low);let room=Math.max(width-(low?0:2*EDGE),Math.min(NARROW,window.innerWidth-2*EDGE));this.
card.style.maxWidth=`${room}px`,this.card.style.translate="";let card=this.card.getBoundingClientRect(),over=Math.max(0,
card.right+EDGE-document.documentElement.clientWidth),under=Math.max(0,EDGE-(card.left-over));this.card.style.translate=
over||under?`${under-over}px`:""}}close(){this.resized.disconnect();let origin=this.element.parentElement;this.element.remove(),
origin?.childElementCount||origin?.remove(),this.target?.removeAttribute(MARK),this.target?.removeAttribute("aria-busy")}};function number(value){return new Intl.NumberFormat(language(),{maximumFractionDigits:value<10?1:0}).format(value)}function percent(fraction){
return new Intl.NumberFormat(language(),{style:"percent"}).format(Math.floor(fraction*100)/100)}function time(seconds){let whole=Math.
floor(seconds);return whole<60?`${whole} s`:whole<3600?`${Math.floor(whole/60)} min ${String(whole%60).padStart(2,"0")} \
s`:`${Math.floor(whole/3600)} h ${String(Math.floor(whole%3600/60)).padStart(2,"0")} min`}function estimate(seconds){if(seconds<
10)return`${Math.max(1,Math.round(seconds))} s`;if(seconds<57.5)return`${Math.round(seconds/5)*5} s`;let minutes=Math.round(
seconds/60);return minutes<60?`${minutes} min`:`${Math.floor(minutes/60)} h ${minutes%60} min`}function ofAttempt(name,attempt,left=""){
let own=`${name} ${attempt}`;return say(own in texts()?own:name,{attempt,time:left})}function wordsFor(status,back){let own={
time:"",details:[],own:!0};if(status.error)return{...own,state:textOf(status.error),own:!status.error.user};let words={...own,
...ofState(status)};return status.connected?back?{...words,state:say("connected")}:words:{...words,state:say("reconnecti\
ng")}}function ofState(status){switch(status.state){case"queued":return{state:say("waiting"),details:place(status)};case"\
retrying":return status.retry_in?{state:ofAttempt("retry",status.attempt,time(Math.ceil(status.retry_in)))}:{state:say("\
waiting"),details:[ofAttempt("attempt",status.attempt),...place(status)]};case"cancelling":return{state:say("cancelling"),
time:time(status.elapsed||0)};case"cancelled":return{state:say("cancelled")};case"succeeded":return{state:say("finished")};default:
return{state:say("running"),time:time(status.elapsed||0),details:progress(status)}}}function place({ahead,wait}){if(ahead===
null)return[];let first=ahead?say("ahead",{count:ahead}):say("next");return wait===null||wait<1?[first]:[first,say("abou\
t",{time:estimate(wait)})]}function progress({attempt,text,done,total,rate,remaining}){return[attempt>1?ofAttempt("attem\
pt",attempt):"",text||"",done!==null&&total!==null?say("of",{done:number(done),total:number(total)}):"",rate!==null&&rate>=
.1?say("each_second",{rate:number(rate)}):"",remaining!==null?say("left",{time:estimate(remaining)}):""].filter(Boolean)}var NAME="long-callback-indicator-";function element(tag,name){let made=document.createElement(tag);return made.className=
NAME+name,made}function write(one,text){one.textContent!==text&&(one.textContent=text),one.hidden=!text}var Row=class{constructor(dismiss2){
this.element=element("div","row"),this.element.setAttribute("role","group");let head=element("div","head");this.state=element(
"span","state"),this.time=element("span","time"),this.percent=element("span","percent"),this.details=element("div","deta\
ils"),this.bar=element("div","bar"),this.fill=element("div","fill"),this.bar.append(this.fill);let buttons=element("div",
"buttons");this.again=this.button("again",()=>this.detail?.again?.()),this.reload=this.button("reload",()=>location.reload()),
this.stop=this.button("stop",()=>this.detail?.stop?.()),this.dismiss=this.button("dismiss",dismiss2),buttons.append(this.
again,this.reload,this.stop,this.dismiss),head.append(this.state,this.time,this.percent,buttons),this.element.append(head,
this.details,this.bar),this.detail=null,this.told=this.about=""}button(name,click){let made=element("button",name);return made.
setAttribute("type","button"),made.addEventListener("click",click),made}draw(detail,status,back){this.detail=detail;let words=wordsFor(
status,back),failed=status.state==="failed",waits=status.state==="queued"||status.state==="retrying",active=waits||status.
state==="running"||status.state==="cancelling";this.element.dataset.state=status.connected?status.state:"reconnecting",this.
state.lang=words.own?language():"",write(this.state,words.state),write(this.time,words.time);let known=active&&!waits&&status.
fraction!==null;write(this.percent,known?percent(status.fraction||0):"");let ref=failed&&status.error?.ref?`${say("numbe\
r")} ${status.error.ref}`:"";write(this.details,[...words.details,ref].filter(Boolean).join(" · ")),this.drawBar(active&&
!waits,known?status.fraction:null,words.details),this.drawButtons(detail,failed,status);let{state,attempt,text,ahead,connected}=status,
about=JSON.stringify([state,attempt,text,ahead,connected,back,ref]);if(about!==this.about){this.about=about;let details=state===
"running"?[text]:active?words.details.slice(0,1):words.details;this.told=[words.state,...details,ref].filter(Boolean).join(
", ")}}drawBar(shown2,fraction,details){let{bar,fill}=this;if(bar.hidden=!shown2,!shown2){bar.removeAttribute("role");return}
bar.setAttribute("role","progressbar"),bar.setAttribute("aria-label",say("progress")),bar.classList.toggle(NAME+"unknown",
fraction===null),fraction===null?(["aria-valuenow","aria-valuetext"].forEach(name=>bar.removeAttribute(name)),fill.style.
inlineSize=""):(bar.setAttribute("aria-valuenow",String(Math.floor(fraction*100))),bar.setAttribute("aria-valuetext",[percent(
fraction),...details].join(", ")),fill.style.inlineSize=`${fraction*100}%`)}drawButtons(detail,failed,status){let{try_again,
reload,stop,dismiss:dismiss2}=texts();write(this.again,failed&&detail.again?try_again:""),write(this.reload,failed&&status.
error?.reload?reload:"");let stops=!!detail.stop||status.state==="cancelling";write(this.stop,stops&&detail.cancelable?stop:
""),this.stop.setAttribute("aria-disabled",String(!detail.stop)),write(this.dismiss,failed?"×":""),this.dismiss.setAttribute(
"aria-label",dismiss2),this.dismiss.title=dismiss2}};var SHOW_AFTER=300,FAREWELL=4e3,BACK=2e3,TICK=1e3,all2=new Map,shown=new Map,overlays=new Map,changed=new Set,ticking,before=null,
region=document.createElement("div");region.className="long-callback-indicator-told";region.setAttribute("role","status");
function statusNow({status,at}){return later(status,(performance.now()-at)/1e3)}function chosen(runs){let entries=Array.
from(runs.values());return entries.find(({status})=>!hasEnded(status))||entries[entries.length-1]||null}function take(detail){
let name=JSON.stringify([detail.callback,detail.outputs]),runs=all2.get(name)||new Map,entry=runs.get(detail.run);if(!detail.
status||!detail.indicator||detail.status.state==="succeeded")runs.delete(detail.run),entry&&shown.get(name)?.overlay&&detail.
status&&tell(say("finished"));else{let now=performance.now(),{status}=detail;!entry&&!hasEnded(status)&&(runs.forEach((one,run)=>hasEnded(
one.status)&&runs.delete(run)),setTimeout(()=>refresh(name),SHOW_AFTER));let back=entry?.lost&&status.connected?now+BACK:
entry?.back||0;runs.set(detail.run,{detail,status,at:now,since:entry?.since??now,lost:!status.connected,back}),back>now&&
setTimeout(()=>refresh(name),back-now),ticking=ticking||setInterval(tick,TICK),status.state==="cancelled"&&setTimeout(()=>dismiss(
name,detail.run),shown.get(name)?.overlay?FAREWELL:0)}runs.size?all2.set(name,runs):all2.delete(name),refresh(name)}function dismiss(name,run){
let runs=all2.get(name);runs?.delete(run)&&(runs.size||all2.delete(name),refresh(name))}function refresh(name){let entry=chosen(
all2.get(name)||new Map),visible=entry&&(isDue(entry)||shown.get(name)?.overlay);if(!entry||!visible){hide(name);return}
let{detail}=entry,ids=detail.indicator?.length?detail.indicator:detail.outputs.map(({id})=>id),{found,element:element2}=targetOf(
ids);if(!element2&&(found||!detail.here)){hide(name,!0);return}let one=shown.get(name)||{row:new Row(()=>dismissShown(name)),
overlay:null};shown.set(name,one);let overlay=overlays.get(element2)||new Overlay(element2);overlays.set(element2,overlay),
one.overlay!==overlay&&(one.overlay&&leave(one.overlay,one.row),one.overlay=overlay),overlay.add(one.row);let{about}=one.
row;keepFocus(one.row,()=>one.row.draw(detail,statusNow(entry),entry.back>performance.now())),one.row.about===about||tell(
one.row.told),drawSoon(overlay)}function drawSoon(overlay){changed.size||requestAnimationFrame(draw),changed.add(overlay)}
function draw(){let scheme=schemeOfPage(),now=Array.from(changed).filter(overlay=>overlay.rows.size);changed.clear(),now.
forEach(overlay=>overlay.draw(scheme))}function isDue({status,since}){return status.state==="failed"||status.state!=="ca\
ncelled"&&performance.now()-since>=SHOW_AFTER-1}function dismissShown(name){let runs=all2.get(name),entry=runs&&chosen(runs);
entry&&dismiss(name,entry.detail.run)}function hide(name,comesBack=!1){let one=shown.get(name);one?.overlay&&(keepFocus(
one.row,()=>one.overlay&&leave(one.overlay,one.row)),one.overlay=null),comesBack||shown.delete(name),all2.size||(clearInterval(
ticking),ticking=void 0)}function leave(overlay,row){overlay.remove(row),overlay.rows.size?drawSoon(overlay):(overlay.close(),
overlays.delete(overlay.target))}function keepFocus(row,change){let focused=document.activeElement,own=focused instanceof
HTMLElement&&row.element.contains(focused)?focused:null;if(change(),own&&(own.hidden||!own.isConnected)){let to=row.element.
isConnected&&row.element.querySelector("button:not([hidden])")||before;to instanceof HTMLElement&&to.focus({preventScroll:!0})}}
function tell(text){region.textContent!==text&&(region.textContent=text)}function tick(){Array.from(all2.keys()).forEach(
refresh)}function place2(){overlays.forEach(overlay=>overlay.place())}window.addEventListener("long-callback-status",event=>take(
event.detail));window.addEventListener("long-callback-failed",event=>{let{callback,outputs}=event.detail;shown.get(JSON.
stringify([callback,outputs]))?.overlay&&event.preventDefault()});dark.addEventListener("change",tick);window.addEventListener(
"resize",place2);document.addEventListener("scroll",event=>event.target===document||requestAnimationFrame(place2),!0);document.
addEventListener("focusin",event=>{let to=event.target instanceof Element&&event.target.closest(".long-callback-indicato\
rs"),from=event.relatedTarget;to&&from instanceof Element&&!to.contains(from)&&(before=from)});function begin(){document.
body.append(region);let observer=new MutationObserver(()=>overlays.size&&tick());observer.observe(document.documentElement,
{attributes:!0}),observer.observe(document.body,{attributes:!0})}document.body?begin():document.addEventListener("DOMCon\
tentLoaded",begin);})();
