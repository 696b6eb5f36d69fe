/* Made from browser/ by scripts/build-browser: do not edit. */
"use strict";(()=>{var dark=window.matchMedia("(prefers-color-scheme: dark)");function declaredScheme(){for(let one of[document.documentElement,
document.body])for(let name of["data-mantine-color-scheme","data-bs-theme"]){let value=one.getAttribute(name);if(value===
"light"||value==="dark")return value}let schemes=getComputedStyle(document.documentElement).colorScheme.split(" "),[light,
dark2]=[schemes.includes("light"),schemes.includes("dark")];return light===dark2?null:dark2?"dark":"light"}function paintedScheme(){
let painted=[document.body],one=document.elementFromPoint(window.innerWidth/2,window.innerHeight/2);for(;one instanceof HTMLElement;one=
one.parentElement)painted.splice(-1,0,one);for(let one2 of painted){let[red,green,blue,alpha=1]=(getComputedStyle(one2).
backgroundColor.match(/[\d.]+/g)||[0,0,0,0]).map(Number);if(alpha>.5)return .3*red+.6*green+.1*blue<110?"dark":"light"}return null}
function schemeOfPage(){let both=/light dark|dark light/.test(getComputedStyle(document.documentElement).colorScheme);return declaredScheme()||
(both?null:paintedScheme())||(dark.matches?"dark":"light")}function once(make){let made;return()=>(made=made||{value:make()}).value}var page=window,clientside=page.dash_clientside=page.dash_clientside||{};function random(bytes){let numbers=crypto.getRandomValues(
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
find(name=>name.toLowerCase()===one);return find(wanted)||find(wanted.split("-")[0])||"en"}function texts(){return all()[language()]}function textOf(failure){let{user,message}=failure;return user?message.length>TEXT_MAX?message.slice(0,TEXT_MAX)+"…":message:
sentenceOf(texts(),failure)}var NOTICES_MAX=3,OWN_ESCAPE="input, textarea, select, [contenteditable], dialog, [role=dialog], [role=menu], [role=list\
box], [aria-modal]";function element(tag,name,text=""){let made=document.createElement(tag);return made.className="long-\
callback-notice"+name,made.textContent=text,made}function button(name,text,click){let made=element("button",name,text);return made.
setAttribute("type","button"),made.addEventListener("click",click),made}var region=element("div","s");region.setAttribute(
"role","alert");region.setAttribute("aria-live","polite");region.setAttribute("aria-atomic","false");var spacer=element(
"div","-room");spacer.setAttribute("aria-hidden","true");var before=null,Notice=class{constructor(text,failure){let{reload,
dismiss:label}=texts();this.text=text,this.counts=new Map,this.element=element("div","");let paragraph=element("p","-tex\
t",text);failure.user||(paragraph.lang=language()),this.details=element("p","-details"),this.element.append(paragraph,this.
details),failure.reload&&this.element.append(button("-reload",reload,()=>location.reload()));let dismiss=button("-dismis\
s","×",()=>remove(this));dismiss.setAttribute("aria-label",label),dismiss.title=label,this.element.append(dismiss)}add(failure){
let work=nameOf(failure);this.counts.set(work,(this.counts.get(work)||0)+1),this.ref=failure.ref,this.showDetails()}showDetails(){
let{times,number}=texts(),count=Array.from(this.counts.values()).reduce((sum,one)=>sum+one,0),details=[count>1?`${count}\
 ${times}`:"",this.ref?`${number} ${this.ref}`:""].filter(Boolean).join(" · ");this.details.textContent!==details&&(this.
details.textContent=details),this.details.hidden=!details}forget(work){this.counts.delete(work)&&(this.counts.size?this.
showDetails():remove(this))}},notices=[];function nameOf({callback,outputs}){return JSON.stringify([callback,outputs])}function show(failure){
region.isConnected||document.body.append(region),[document.body,...document.body.children].forEach(one=>resized.observe(
one));let text=textOf(failure),notice=notices.find(one=>one.text===text);notice||(notice=new Notice(text,failure),notices.
push(notice)),notice.add(failure),notices.slice(0,-NOTICES_MAX).forEach(remove),notice.element.isConnected||region.append(
notice.element),region.scrollTop=region.scrollHeight,adapt(),fitSpacer()}function remove(notice){let focused=notice.element.
contains(document.activeElement),next=notices[notices.indexOf(notice)+1]||notices[notices.indexOf(notice)-1];if(notices=
notices.filter(one=>one!==notice),notice.element.remove(),focused){let target=next?next.element.querySelector("button"):
before;target instanceof HTMLElement&&target.focus()}notices.length||resized.disconnect(),fitSpacer()}function fitSpacer(){
let page2=document.scrollingElement||document.documentElement,{top,bottom}=region.getBoundingClientRect(),needed=page2.scrollHeight-
spacer.offsetHeight>page2.clientHeight&&getComputedStyle(document.body).display==="block"&&top>page2.clientHeight-bottom;
if(!notices.length||!needed){spacer.remove();return}spacer.style.height=`${page2.clientHeight-top}px`,spacer.isConnected||
document.body.append(spacer)}var resized=new ResizeObserver(()=>requestAnimationFrame(fitSpacer));function adapt(){notices.
length&&(region.dataset.scheme=schemeOfPage())}dark.addEventListener("change",adapt);window.addEventListener("resize",fitSpacer);
window.addEventListener("long-callback-failed",event=>{let failure=event.detail;queueMicrotask(()=>event.defaultPrevented||
failure.shown||show(failure))});for(let name of["long-callback-started","long-callback-succeeded"])window.addEventListener(
name,event=>{let work=nameOf(event.detail);notices.slice().forEach(notice=>notice.forget(work))});region.addEventListener(
"focusin",event=>{let from=event.relatedTarget;before=from instanceof Element&&!region.contains(from)?from:before});document.
addEventListener("keydown",event=>{let focused=document.activeElement,elsewhere=focused&&!region.contains(focused)&&focused.
closest(OWN_ESCAPE);event.key==="Escape"&&notices.length&&!event.defaultPrevented&&!elsewhere&&remove(notices.find(one=>one.
element.contains(focused))||notices[notices.length-1])});function begin(){document.body.append(region);let observer=new MutationObserver(
adapt);observer.observe(document.documentElement,{attributes:!0}),observer.observe(document.body,{attributes:!0})}document.
body?begin():document.addEventListener("DOMContentLoaded",begin);})();
