/* Made from browser/ by scripts/build-browser: do not edit. */
"use strict";(()=>{function once(make){let made;return()=>(made=made||{value:make()}).value}function tried(action,otherwise){try{return action()}catch{
return otherwise}}function pause(ms){return new Promise(resolve=>setTimeout(resolve,ms))}function has(value,key){return value!=
null&&Object.prototype.hasOwnProperty.call(value,key)}function sameJson(one,other){return JSON.stringify(one??null)===JSON.
stringify(other??null)}function messageOf(error){return error?.message||String(error)}var page=window,clientside=page.dash_clientside=page.dash_clientside||{};function random(bytes){let numbers=crypto.getRandomValues(
new Uint8Array(bytes));return btoa(String.fromCharCode(...numbers)).replace(/\+/g,"-").replace(/\//g,"_").replace(/=/g,"")}
var TAB=random(16);function json(id){let element=document.getElementById(id);return element?JSON.parse(element.textContent||
"null"):null}var dashConfig=once(()=>json("_dash-config")||{}),settings=once(()=>json("_dash-long-callbacks")||{patience:0,
stream:!1,callbacks:{}}),prefix=once(()=>dashConfig().requests_pathname_prefix||"/");function stringify(id){return page.dash_component_api.stringifyId(id)}function parseId(id){return id.startsWith("{")?JSON.
parse(id):id}function isWild(value,wildcard){return Array.isArray(value)&&value[0]===wildcard}function matches(id,pattern){
if(typeof id=="string"||typeof pattern=="string")return id===pattern;let keys=Object.keys(pattern);return keys.length===
Object.keys(id).length&&keys.every(key=>isWild(pattern[key],"ALL")||isWild(pattern[key],"MATCH")||JSON.stringify(pattern[key])===
JSON.stringify(id[key]))}function flat(outputs){return outputs?[outputs].flat(2):[]}function bare(property){return property.
split("@")[0]}function nameOf(id,property){return`${stringify(id)}.${property}`}function isCounter(property){return property.
startsWith("n_")}function mapDependencies(dependencies,make){return Array.isArray(dependencies)?dependencies.map(one=>mapDependencies(
one,make)):make(dependencies)}var PAINT_MAX=100;function componentOf(id){let component=tried(()=>page.dash_component_api.getLayout(id));return component?.
props?component:null}function propsOf(id){return componentOf(id)?.props||null}var missing=new Set;function warnOnce(id,property){
let name=stringify(id);!missing.has(name)&&missing.size<1e3&&(missing.add(name),console.warn(`A long callback sets ${name}\
.${property}, but there is no such component on the page.`))}function afterPaint(callback){if(document.hidden){callback();
return}let first=once(callback);requestAnimationFrame(()=>setTimeout(first)),setTimeout(first,PAINT_MAX)}var READY_MAX=3e4,renderer={state(){return page.store?.getState()||{}},dispatch(action){page.store?.dispatch(action)},ready(){
return this.state().appLifecycle==="HYDRATED"},definition(name){return this.state().graphs?.callbacks?.find(callback=>callback.
output===name)},declarations(){return this.state().dependenciesRequest?.content||[]},path(id){let{strs={},objs={}}=this.
state().paths||{};if(typeof id=="string")return strs[id];let keys=Object.keys(id).sort(),values=JSON.stringify(keys.map(
key=>id[key]));return(objs[keys.join(",")]||[]).find(one=>JSON.stringify(one.values)===values)?.path},ids(pattern){if(typeof pattern==
"string")return this.path(pattern)?[pattern]:[];let keys=Object.keys(pattern).sort();return(this.state().paths?.objs?.[keys.
join(",")]||[]).map(one=>Object.fromEntries(keys.map((key,i)=>[key,one.values[i]]))).filter(id=>matches(id,pattern))},isChange(name,props){
let{prioritized=[],executing=[]}=this.state().callbacks||{},calls=[...executing,...prioritized].filter(call=>call.callback.
output===name&&Object.keys(call.changedPropIds).length===props.length&&props.every(prop=>prop in call.changedPropIds));if(!calls.
length)return props.length>0;let{changedPropIds,initialCall}=calls[calls.length-1];return props.some(prop=>changedPropIds[prop]===
2&&(!initialCall||isCounter(prop.slice(prop.lastIndexOf(".")+1))))},executed(job,result){let callback=this.definition(job.
name),outputs=flat(job.outputs);if(callback){let cb={callback,anyVals:"",changedPropIds:{},initialCall:!1,getInputs:()=>[],
getState:()=>[],getOutputs:()=>[outputs],executionResult:{...result,payload:job.outputs?{outputs}:null}};this.dispatch({
type:"Callbacks.AddExecuted",payload:[cb]})}else result.data?Object.entries(result.data).forEach(([id,props])=>clientside.
set_props(parseId(id),props)):console.error(result.error)},titled(job,error){let outputs=flat(job.outputs).map(({id,property})=>nameOf(
id,property)),title=outputs.length?`Callback error updating ${outputs.join(", ")}`:`Callback error with no output from i\
nput ${(job.pending.triggers||[]).join(", ")}`;error.message=error.by?`${title} by the long callback ${error.by}`:title,
Object.defineProperty(error,"stack",{value:void 0}),this.keepLines()},keepLines:once(()=>{let sheet=new CSSStyleSheet;sheet.
replaceSync(".dash-backend-error { white-space: pre-wrap; overflow-wrap: anywhere; }"),document.adoptedStyleSheets=[...document.
adoptedStyleSheets,sheet]}),silently(change){let requested=()=>this.state().callbacks?.requested||[],before=new Set(requested());
change();let added=requested().filter(callback=>!before.has(callback));added.length&&this.dispatch({type:"Callbacks.Remo\
veRequested",payload:added})},complain(text){let[message,...more]=text.split(`
`),error={message,html:more.join(`
`)};tried(()=>this.dispatch({type:"ON_ERROR",payload:{type:"backEnd",error}})),console.error(text)},async loaded({type,namespace}){
let ready=page[namespace]?.[type]?._dashprivate_isLazyComponentReady;typeof ready?.then=="function"&&await Promise.race(
[ready,pause(READY_MAX)])},loading(on,outputs){let payload=outputs.map(({id,property})=>({path:this.path(id),property:bare(
property),id:stringify(id)})).filter(one=>one.path);payload.length&&this.dispatch({type:on?"LOADING":"LOADED",payload})}};
function attempt(name,action){try{action()}catch(error){renderer.complain(`A step of the long callback ${name} has faile\
d
${messageOf(error)}`)}}var paths=null,changing=!1,places=new Map;function notePlace(id){let name=stringify(id);places.has(name)||places.set(name,
renderer.path(id))}function setProperty(id,property,value){let[name,path]=[stringify(id),renderer.path(id)],known=places.
get(name)===path;clientside.set_props(id,{[property]:value}),known&&places.has(name)&&places.set(name,renderer.path(id))}
function isNew(id){let[name,path]=[stringify(id),renderer.path(id)];return!!path&&places.has(name)&&places.get(name)!==path}
function notePlaces(ids){places=new Map,ids.forEach(notePlace)}var onChange=()=>{};function checkLayout(){if(!(changing||
!renderer.ready()||renderer.state().paths===paths)){changing=!0;try{paths=renderer.state().paths,onChange()}finally{changing=
!1}}}function watchLayout(action){onChange=action,watchStore(()=>renderer.state().paths!==paths,checkLayout)}function watchStore(changed,look2){
page.store?(page.store.subscribe(()=>changed()&&setTimeout(look2)),setTimeout(look2)):setTimeout(()=>watchStore(changed,
look2),50)}var waiting=new Map;function waitingFor(slot){let one=waiting.get(slot);return one?[one.job]:[]}function allWaiting(){return Array.
from(waiting.values(),({job})=>job)}function debounce(job,ms,start2){drop(job.slot);let timer=setTimeout(()=>{waiting.delete(
job.slot),!job.settled&&job.isHere()&&start2()},ms);waiting.set(job.slot,{job,timer})}function drop(slot){clearTimeout((waiting.
get(slot)||{}).timer),waiting.delete(slot)}function dropAll(){Array.from(waiting.keys()).forEach(drop)}var SENTENCES={failed:"Something went wrong. Try again.",timed_out:"This took too long and was stopped. Try again.",expired:"\
This could not be started in time. Try again later.",lost:"This was interrupted before it had finished. Try again.",stopped:"\
The server was stopped before this had finished. Try again.",refused:"The server could not start this. Try again in a mo\
ment.",limit:"Too many of these are running. Try again later.",unavailable:"The server can't run this at the moment. Try\
 again later.",not_stored:"The result could not be stored. Try again later.",session:"Your session has expired. Log in a\
gain and reload the page; jobs that still run are found again.",changed:"The app has changed since this was started. Run\
 it again.","changed reload":"The app has changed since this page was loaded. Reload the page.",gone:"The result is not \
available any more. Run it again.",unreachable:"The server can't be reached. Check your connection and try again.","unre\
achable reload":"The server can't be reached. If the job still runs, reload the page to find it again.",library:"A part \
of the result could not be loaded. Reload the page."};function sentenceOf(sentences,{kind,message,reload}){return reload&&
sentences[`${kind} reload`]||sentences[kind]||message||sentences.failed}function emit(what,callback,outputs,more={}){let detail={callback,outputs:flat(outputs).map(({id,property})=>({id,property:bare(
property)})),...more};window.dispatchEvent(new CustomEvent("long-callback-"+what,{detail,cancelable:what==="failed"}))}function detailsOf(failure){
return{kind:failure.kind,message:failure.message||sentenceOf(SENTENCES,failure),user:!!failure.user,ref:failure.ref||null,
reload:!!failure.reload}}function emitFailed(callback,outputs,failure,shown=!1){emit("failed",callback,outputs,{...detailsOf(
failure),shown})}function devToolsError(text,by=""){return Object.assign(new Error(text),{html:text,by})}function describe({
type,message="",traceback}){return traceback||(type?`${type}: ${message}`:message)}var REMEMBER=168*3600*1e3,memory={prefix:once(()=>`dash-long-callback ${prefix()} `),mine(pending){let owner=settings().
owner;return owner===void 0?null:(pending.owner!==owner&&(pending.payload||pending.asked)&&(pending.doubtful=pending.doubtful||
!!pending.payload,pending.payload=pending.asked=void 0,this.keep(pending)),pending.owner===owner||pending.owner===null?!0:
owner===null&&pending.owner?null:!1)},keep(pending){tried(()=>sessionStorage.setItem(this.prefix()+pending.id,JSON.stringify(
pending)))},drop(id){tried(()=>sessionStorage.removeItem(this.prefix()+id))},all(){let found=[],keys=tried(()=>Object.keys(
sessionStorage),[]).filter(one=>one.startsWith(this.prefix()));for(let key of keys)tried(()=>{let pending=tried(()=>JSON.
parse(sessionStorage.getItem(key)||"null")),kept=pending&&Date.now()-pending.at<REMEMBER,known=kept&&settings().callbacks[pending.
name],mine=kept?this.mine(pending):!1;known&&mine?found.push(pending):mine!==null&&(sessionStorage.removeItem(key),kept&&
mine&&emitFailed(pending.name,pending.outputs,{kind:"changed"}))});return found.sort((one,other)=>one.at-other.at)}};function digest(text){let[one,two]=[1,2];for(let i=0;i<text.length;i++)one=Math.imul(one^text.charCodeAt(i),2654435761),
two=Math.imul(two^text.charCodeAt(i),1597334677);return`${text.length} ${one} ${two}`}function valuesOf(inputs){let asked=inputs.
flat().filter(one=>!/^n_|_timestamp$/.test(one.property));return digest(JSON.stringify(asked.map(one=>[stringify(one.id),
one.property,one.value])))}function pendingJob(name,config,context){let[inputs,states,outputs]=[context.inputs_list,context.
states_list||[],context.outputs_list],changed=context.triggered.map(t=>t.prop_id),payload={output:name,outputs,inputs,changedPropIds:changed,
parsedChangedPropsIds:changed.map(prop=>prop.startsWith("{")?parseId(prop.slice(0,prop.lastIndexOf("}")+1)):prop),state:config.
states?states.slice(0,config.states):void 0},matching=outputs?flat(outputs):inputs.filter(input=>!Array.isArray(input));
return{id:random(24),name,outputs,matched:matching.map(one=>one.id),every:mapDependencies(states.slice(config.states),state=>state.
value),values:valuesOf(inputs),triggers:changed,at:Date.now(),owner:settings().owner,payload:JSON.stringify(payload),declared:config.
declared}}function componentsOf(pending,target){if(target.all!==void 0){let ids=pending.every[target.all];return Array.isArray(
ids)?ids:[]}return[matchOf(pending,target.id)]}function matchOf(pending,id){if(typeof id=="string")return id;let matched=pending.
matched.filter(other=>typeof other=="object");return Object.fromEntries(Object.entries(id).map(([key,value])=>{let like=isWild(
value,"MATCH")&&matched.find(other=>key in other);return[key,like?like[key]:value]}))}function isOutput(pending,id,property){
return flat(pending.outputs).some(one=>stringify(one.id)===id&&bare(one.property)===property)}function isSentAgain(pending,id,property,value){
let component=property==="href"?componentOf(id):null;if(!component||component.type!=="Location")return!1;let again2=pending.
went===value;return pending.went=value,memory.keep(pending),again2}var jobs=[],answered=new Map;function inSlot(slot){return jobs.filter(job=>job.slot===slot)}function alive(){return jobs}
function enter(job){jobs=[...jobs,job]}function leave(job){jobs=jobs.filter(other=>other!==job)}function queues(job){return job.
config.retrigger==="queue"||job.config.retrigger==="latest"}function spin(slot){setTimeout(()=>{let job=inSlot(slot).find(
one=>one.detached&&!one.outcome);job&&renderer.loading(!0,flat(job.outputs))})}function inProgress(id,property,except){let name=stringify(
id);return jobs.filter(job=>job!==except&&job.begun).some(({config,pending})=>config.progress.some(target=>target.property===
property&&componentsOf(pending,target).map(stringify).includes(name)))}var SETTLE=3e4,touched=-1/0;for(let what of["pointerdown","keydown","click","input","change","drop","popstate"])window.addEventListener(
what,()=>touched=performance.now(),{capture:!0,passive:!0});var cancelInputs=once(()=>Object.values(settings().callbacks).
flatMap(config=>config.cancel)),stops=new Map;function noteStops(){let found=new Map,now=performance.now();for(let target of cancelInputs())
for(let id of renderer.ids(target.id)){let[name,path]=[nameOf(id,target.property),renderer.path(id)],value=(propsOf(id)||
{})[target.property],stop=stops.get(name)||{born:now,value,path,last:value,since:now};found.set(name,stop.path===path?stop:
{...stop,path,last:value,since:now})}stops=found}function noteChange(name,value){let stop=stops.get(name);stop&&Object.assign(
stop,{value,last:value})}function settles(since){return touched<since&&performance.now()-since<SETTLE}var CancelInputs=class{constructor(job){
this.job=job,this.known=new Map}watch(){for(let target of this.job.config.cancel)for(let id of renderer.ids(matchOf(this.
job.pending,target.id))){let name=nameOf(id,target.property),[stop,mine]=[stops.get(name),this.known.get(name)];stop&&(!mine||
mine.born!==stop.born)&&this.known.set(name,{born:stop.born,value:stop.value,changed:!1})}}cancels(id,property,value){let{
config,pending}=this.job;if(!config.cancel.some(one=>one.property===property&&matches(id,matchOf(pending,one.id))))return!1;
let name=nameOf(id,property),[stop,mine]=[stops.get(name),this.known.get(name)];if(!stop||!mine||mine.born!==stop.born)return isCounter(
property)&&value>0;let{value:before,changed}=mine;Object.assign(mine,{value,changed:!0});let reset=!sameJson(value,stop.
last);return isCounter(property)?value>0&&(reset||!sameJson(value,before)):sameJson(value,before)?reset&&!settles(stop.since):
changed||!settles(stop.born)}};function cancel(){let context=clientside.callback_context;for(let{prop_id,value}of context.
triggered){let dot=prop_id.lastIndexOf("."),id=parseId(prop_id.slice(0,dot));[...alive(),...allWaiting()].filter(job=>job.
stops.cancels(id,prop_id.slice(dot+1),value)).forEach(job=>job.cancel()),noteChange(prop_id,value)}return mapDependencies(
context.outputs_list,()=>clientside.no_update)}var DRAWN_MAX=1e3;function isEvents(value){return has(value,"__dash_long_callback_events")}var lines=new Map;function inLine(name,action){
let before=lines.get(name),done=before?before.then(action):action();done&&(lines.set(name,done),done.then(()=>lines.get(
name)===done&&lines.delete(name)))}async function settled(){for(let turn=0;turn<4;turn++)await new Promise(resolve=>{let{
port1,port2}=new MessageChannel;port1.onmessage=resolve,port2.postMessage(null)})}async function giveEvent(component,id,property,value){
let plot=component.type==="Graph"?await drawn(id):null,redrawn=plot&&new Promise(resolve=>plot.once("plotly_redraw",resolve));
setProperty(id,property,value),redrawn&&["extendData","prependData"].includes(property)&&await Promise.race([redrawn,pause(
DRAWN_MAX)]),await settled()}async function drawn(id){for(let until=Date.now()+READY_MAX;Date.now()<until;await pause(50)){
let element=document.getElementById(stringify(id)),plot=element&&element.querySelector(".js-plotly-plot");if(plot&&!plot.
matches(".dash-graph--pending"))return plot}return null}var EVENTS_MAX=1e4,EventLines=class{constructor(job){this.job=job,this.lines=new Map,this.waiting=0,this.then=null}whenDone(action){
this.waiting?this.then=action:action()}add(id,property,{__dash_long_callback_events:kind,events}){let name=nameOf(id,property),
line=this.lines.get(name)||{id,property,last:0,here:!0,round:0,kept:new Set};this.lines.set(name,line);for(let[seq,value]of events)
if(seq>line.last){line.last=seq;let event={seq,kind,value};if(line.kept.add(event),this.happen(line,event),line.kept.size>
EVENTS_MAX){let[oldest]=line.kept;line.kept.delete(oldest)}}}reappear(){for(let line of this.lines.values()){let here=!!componentOf(
line.id);here&&!line.here&&(line.round+=1,line.kept.forEach(event=>this.happen(line,event))),line.here=here}}happen(line,event){
let{round}=line;this.waiting+=1,inLine(nameOf(line.id,line.property),async()=>{try{!this.job.settled&&line.round===round&&
await this.deliver(line,event)}catch(error){this.job.updates.report(line.id,line.property,error)}finally{if(this.waiting-=
1,!this.waiting&&this.then){let then=this.then;this.then=null,then()}}})}async deliver(line,event){let component=componentOf(
line.id);if(!component){line.here=!1,this.job.here&&warnOnce(line.id,line.property);return}if(await renderer.loaded(component),
!this.job.settled){if(event.kind==="once"||event.kind==="file"&&component.type==="Download"){line.kept.delete(event);let{
pending}=this.job,name=nameOf(line.id,line.property),happened=pending.happened=pending.happened||{};if(event.seq<=(happened[name]||
0))return;happened[name]=event.seq,memory.keep(pending)}await giveEvent(component,line.id,line.property,event.value)}}};function isPatch(value){return has(value,"__dash_patch_update")}function at(root,place){return place.reduce((value,key)=>value?.[key],
root)}function fromStart(list2,index){if(typeof index!="number"||index>=0)return index;if(list2==null)throw new TypeError(
`it counts from the end of a list (${index}), but there is none`);return list2.length+index}function copied(root,key){return Number.
isInteger(key)&&Array.isArray(root)?root.slice():{...root}}function withValue(root,place,value){if(!place.length)return value;
let[key,...rest]=place;if(rest.length){let missing2=Number.isInteger(rest[0])?[]:{},next=has(root,key)&&typeof root[key]==
"object"?root[key]:missing2;value=withValue(next,rest,value)}let copy=copied(root,key);return copy[key]=value,copy}function without(root,place){
if(root==null||!place.length)return root;let[key,...rest]=place,copy=copied(root,key);return rest.length?root[key]!==null&&
root[key]!==void 0&&(copy[key]=without(root[key],rest)):Array.isArray(copy)?copy.splice(Number(key),1):delete copy[key],
copy}function sliced(value){return Array.prototype.slice.call(value??list(value))}function list(value){if(!Array.isArray(
value))throw new TypeError("it changes a list, but there is none");return value}function same(one,other){if(typeof one!=
"object"||typeof other!="object"||!one||!other)return Object.is(one,other);let keys=Object.keys(one);return Array.isArray(
one)===Array.isArray(other)&&keys.length===Object.keys(other).length&&keys.every(key=>has(other,key)&&same(one[key],other[key]))}
var OPERATIONS={Assign:(_,{value})=>value,Merge:(old,{value})=>({...old,...value}),Extend:(old,{value})=>list(old).concat(
list(value)),Append:(old,{value})=>[...sliced(old||[]),value],Prepend:(old,{value})=>[value,...sliced(old||[])],Insert:(old,{
index,value})=>{let from=fromStart(old,index),copy=sliced(old);return copy.splice(from>=0&&from<old.length?from:copy.length,
0,value),copy},Clear:old=>Array.isArray(old)?[]:typeof old=="string"?"":old&&typeof old=="object"?{}:void 0,Reverse:old=>typeof old==
"string"?old.split("").reverse().join(""):sliced(old).reverse(),Remove:(old,{value})=>list(old).filter(item=>!same(item,
value)),Add:(old,{value})=>old+value,Sub:(old,{value})=>old-value,Mul:(old,{value})=>old*value,Div:(old,{value})=>old/value};
function patchOne(root,{operation,location,params}){let place=[];for(let key of location)place.push(fromStart(at(root,place),
key));if(operation==="Delete")return without(root,place);if(!has(OPERATIONS,operation))throw new TypeError(`this version\
 of dash-long-callback does not know its operation ${operation}`);return withValue(root,place,OPERATIONS[operation](at(root,
place),params||{}))}function patched(value,previous){if(!isPatch(value))return value;if(previous===void 0)throw new TypeError(
"the property has no value yet that it could change");return value.operations.reduce(patchOne,previous)}function apart(value){
if(!isPatch(value)||!Array.isArray(value.lengths))return[value];let end=0;return value.lengths.map(length=>(end+=length,
{...value,operations:value.operations.slice(end-length,end)}))}var Signs=class{constructor(job){this.job=job,this.shown=!1,this.progress=new Map,this.unseen=0}show(){!this.shown&&!this.
job.settled&&(this.shown=!0,this.setRunning("on"),this.all().forEach(([id])=>notePlace(id)))}hide(){this.shown&&(this.shown=
!1,inSlot(this.job.slot).some(other=>other!==this.job&&!other.outcome)||this.setRunning("off"),this.reset())}setRunning(which){
let{config,pending,updates}=this.job;for(let target of config.running)componentsOf(pending,target).forEach(id=>updates.set(
id,target.property,target[which]))}setProgress(index,value){let target=this.job.config.progress[index];this.unseen+=1,afterPaint(
()=>this.unseen-=1),this.progress.set(index,value);for(let id of componentsOf(this.job.pending,target))inLine(nameOf(id,
target.property),()=>this.job.updates.set(id,target.property,value))}restart(){this.progress.clear(),this.reset()}reset(){
let{progress,defaults,keeps}=this.job.config;keeps||progress.forEach((target,index)=>{for(let id of componentsOf(this.job.
pending,target))!(!defaults&&this.job.events.lines.has(nameOf(id,target.property)))&&!inProgress(id,target.property,this.
job)&&this.job.updates.set(id,target.property,defaults?defaults[index]:null)})}all(){let{running,progress}=this.job.config,
targets=running.map(target=>[target,target.on]);return progress.forEach((target,index)=>targets.push([target,this.progress.
get(index)])),targets.flatMap(([target,value])=>componentsOf(this.job.pending,target).map(id=>[id,target.property,value]))}renew(isNew2){
let latest=new Map;for(let sign of this.shown?this.all():[])sign[2]!==void 0&&!isPatch(sign[2])&&isNew2(sign[0])&&latest.
set(nameOf(sign[0],sign[1]),sign);for(let[id,property,value]of latest.values())sameJson((propsOf(id)||{})[property],value)||
this.job.updates.set(id,property,value)}};function fitting(job,result){if(!result.data)return result;let misfits=[],data=pick(job,result.data,misfits),error=misfits.
length?devToolsError(misfits.join(`
`)):result.error;return{data:Object.keys(data).length?data:void 0,error}}function pick(job,response,misfits){let byId=new Map(
Object.entries(response).map(([id,props])=>[stringify(parseId(id)),props])),picked={};for(let output of flat(job.outputs)){
let[id,property]=[stringify(output.id),bare(output.property)],[values,props]=[byId.get(id),propsOf(output.id)];if(props&&
values&&property in values)try{picked[id]={...picked[id],[property]:patched(values[property],props[property])}}catch(error){
misfits.push(`The Patch for ${id}.${property} can't be applied: ${messageOf(error)}`)}else props&&job.updates.yielded.has(
`${id}.${property}`)&&(picked[id]={...picked[id],[property]:props[property]})}return picked}function give(job,{data,error}){
error&&(renderer.titled(job,error),data&&job.detach()),job.detached?(data&&attempt(job.name,()=>renderer.executed(job,{data})),
error&&attempt(job.name,()=>renderer.executed(job,{error})),renderer.loading(!1,flat(job.outputs)),spin(job.slot)):error?
job.reject(error):data?job.resolve(shaped(job.outputs,data)):job.reject(clientside.PreventUpdate)}function shaped(outputs,data){
return mapDependencies(outputs,output=>{let[values,property]=[data[stringify(output.id)]||{},bare(output.property)];return property in
values?values[property]:clientside.no_update})}function load(library){return new Promise((resolve,reject)=>{let element=library.
type==="_js_dist"?Object.assign(document.createElement("script"),{src:library.url}):Object.assign(document.createElement(
"link"),{href:library.url,rel:"stylesheet"});element.onload=()=>resolve(),element.onerror=()=>reject(new Error(library.url)),
document.head.append(element)})}var TRY_MAX=3e4,LATER=[408,425,429],RequestError=class extends Error{constructor(message,final=!1,pause2=0,session=!1){super(
message),this.final=final,this.pause=pause2,this.session=session}};function faultOf(error){return error instanceof RequestError?
error:new RequestError("the server did not respond")}async function post(path,body,more={}){let config=dashConfig(),options=config.
fetch||{},headers={Accept:"application/json","Content-Type":"application/json",...more.headers},token=document.cookie.split(
"; ").find(cookie=>cookie.startsWith((config.csrf_token_name||"_csrf_token")+"="));if(token){let value=token.slice(token.
indexOf("=")+1);headers[config.csrf_header_name||"X-CSRFToken"]=tried(()=>decodeURIComponent(value),value)}return fetch(
prefix()+path,{credentials:"same-origin",...options,method:"POST",headers:{...headers,...options.headers},body,signal:more.
signal,keepalive:more.keepalive})}async function errorOf(response){let html=(response.headers.get("Content-Type")||"").startsWith(
"text/html");if(response.ok&&!html)return null;let text=html?"":await response.text().catch(()=>""),status=`status ${response.
status}${text&&": "+text.slice(0,1e3)}`;if(response.status===401||response.status===403||response.ok){let how=response.ok?
"the server answered with another page":status;return new RequestError(`${SENTENCES.session} (${how})`,!0,0,!0)}let later2=response.
status>=500||LATER.includes(response.status),pause2=Math.min(Number(response.headers.get("Retry-After"))||0,TRY_MAX/1e3)*
1e3;return new RequestError(status,!later2,pause2)}var RETRY_MIN=250,RETRY_MAX=5e3,RetryBudget=class{constructor(){this.failures=0,this.tried=0,this.since=Date.now()}begin(){
this.since=Date.now()}succeed(){this.failures=0,this.tried=0}get lasts(){return this.failures>1}fail(fault){let pause2=Math.
min(RETRY_MIN*2**this.failures,RETRY_MAX);return this.failures+=1,navigator.onLine!==!1&&(this.tried+=Math.min(Date.now()-
this.since,TRY_MAX)+pause2),fault.final||this.tried>settings().patience*1e3?null:Math.max(pause2*(.75+Math.random()/2),fault.
pause)}message(what,fault){return fault.final?fault.message:`${what} (tried for ${Math.round(this.tried/1e3)} s): ${fault.
message}`}renew(){this.failures=0}wait(ms){return new Promise(resolve=>{let online=()=>{this.renew(),done()},done=()=>{clearTimeout(
timer),window.removeEventListener("online",online),resolve()},timer=setTimeout(done,ms);window.addEventListener("online",
online)})}};var HOLDERS=2,HOLDER_LEASE=8e3,HOLDER_RENEW=3e3,keyOf=i=>`dash-long-callback holder ${i}`,holder={key:"",timer:void 0,lost(){},
take(){return tried(()=>{this.key&&!this.isMine()&&this.forget();for(let i=0;i<HOLDERS&&!this.key;i++){let key=keyOf(i);
this.isFree(localStorage.getItem(key))&&(this.write(key),this.key=key,this.timer=setInterval(()=>this.renew(),HOLDER_RENEW))}}),
!!this.key},write(key){localStorage.setItem(key,`${TAB} ${Date.now()+HOLDER_LEASE} ${prefix()}`)},follows(){let isOurs=entry=>!this.
isFree(entry)&&entry?.split(" ")[2]===prefix();return tried(()=>{for(let i=0;i<HOLDERS&&keyOf(i)!==this.key;i++)if(isOurs(
localStorage.getItem(keyOf(i))))return!1;return!!this.key},!1)},isFree(entry){let left=Number((entry||"").split(" ")[1])-
Date.now();return!(left>0&&left<=HOLDER_LEASE)},isMine(){let entry=localStorage.getItem(this.key);return!entry||entry.startsWith(
TAB)},renew(){try{if(this.isMine()){this.write(this.key);return}}catch{}this.forget(),this.lost()},forget(){clearInterval(
this.timer),this.key=""},free(){tried(()=>this.key&&this.isMine()&&localStorage.removeItem(this.key)),this.forget()}};window.
addEventListener("storage",event=>event.key===holder.key&&holder.renew());var OPEN=7e4,OTHERS_MAX=500,neighbours={channel:null,jobs:new Map,asked(){},left(){},joined(){},moved(_jobs){},open(){!this.
channel&&typeof BroadcastChannel<"u"&&tried(()=>{this.channel=new BroadcastChannel(`dash-long-callback ${prefix()}`),this.
channel.onmessage=({data})=>tried(()=>this.hear(data))})},close(){this.channel?.close(),this.channel=null,this.jobs.clear()},
followed(){if(!holder.follows())return;this.jobs.forEach(({until},id)=>until<Date.now()&&this.jobs.delete(id));let jobs2=Array.
from(this.jobs).slice(-OTHERS_MAX);return jobs2.length?Object.fromEntries(jobs2.map(([id,{seq}])=>[id,seq])):void 0},leave(){
this.say({left:!0})},ask(){this.say({who:!0})},tell(wait){this.say({wait})},pass(moved){this.note(moved),this.say({moved})},
say(what){tried(()=>this.channel?.postMessage(what))},hear(data){data.who&&this.asked(),data.left&&this.left(),data.moved&&
(this.note(data.moved),this.moved(data.moved));let others=!1;for(let[id,seq]of Object.entries(data.wait||{})){if(!Number.
isInteger(seq))continue;let known=this.jobs.get(id);others=others||!known,this.jobs.set(id,{seq:Math.max(seq,known?.seq||
0),until:Date.now()+OPEN})}others&&holder.follows()&&this.joined()},note(moved){for(let[id,[seq,ended]]of Object.entries(
moved)){let known=this.jobs.get(id);known&&(known.seq=Math.max(seq,known.seq),ended&&this.jobs.delete(id))}}};var STREAM_NEXT=25e3;async function*eventsOf(body,late){let reader=body.getReader(),decoder=new TextDecoder,[text,from]=[
"",0],timer;try{for(;;){let{done,value}=await reader.read();if(done)return;clearTimeout(timer),timer=setTimeout(late,STREAM_NEXT),
text+=decoder.decode(value,{stream:!0});let answers=[];for(let end=text.indexOf(`

`,from);end>=0;end=text.indexOf(`

`)){let event=text.slice(0,end);text=text.slice(end+2),from=0,event.startsWith("data: ")&&answers.push(JSON.parse(event.
slice(6)))}from=Math.max(0,text.length-1),yield answers}}finally{clearTimeout(timer)}}function merged(first,second){let later2=second.
updates||[],plain=later2.filter(([,value])=>!isPatch(value)&&!isEvents(value)),replaced=new Set(plain.map(([target])=>String(
target))),earlier=(first.updates||[]).filter(([target,value])=>isEvents(value)||!replaced.has(String(target)));return{...second,
updates:[...earlier,...later2]}}var ANSWER_MAX=6e4,STREAM_FIRST=6e3,STREAM_PAUSE=6e4,GATHER=200,HINTED=100,PASSED=.05,poller={jobs:new Map,request:null,
timer:void 0,due:1/0,budget:new RetryBudget,hidden:document.hidden,noStreams:0,streamPause:STREAM_PAUSE,connected:!0,submitting:0,
holds:!1,asked:0,least:0,hinted:!1,add(job,after){this.jobs.set(job.id,job),this.schedule(Math.max(after*1e3,this.submitting?
GATHER:0))},remove(job){this.jobs.delete(job.id)&&!this.jobs.size&&this.pause()},pause(){clearTimeout(this.timer),this.due=
1/0,this.stop(),holder.free(),this.holds&&(this.holds=!1,neighbours.leave()),neighbours.close()},hint(ms=0){this.request||
this.budget.failures?this.hinted=!this.holds:this.schedule(Math.max(ms,this.asked+HINTED-Date.now(),this.least-Date.now()))},
stop(){this.request?.abort(),this.request=null},schedule(ms){let due=Date.now()+ms;this.jobs.size&&due<this.due&&(clearTimeout(
this.timer),this.due=due,this.timer=setTimeout(()=>{this.due=1/0,this.ask()},ms))},seen(){return Object.fromEntries(Array.
from(this.jobs.values(),job=>[job.id,job.seq]))},async ask(){this.stop();let request=this.request=new AbortController,asked=Array.
from(this.jobs.values());this.hidden&&holder.free(),neighbours.open();let held=this.holds,holds=this.holds=!this.hidden&&
holder.take(),jobs2=this.seen();holds?held||neighbours.ask():neighbours.tell(jobs2),this.asked=Date.now(),this.hinted=!1;
let stream=holds&&settings().stream&&Date.now()>this.noStreams,body=JSON.stringify({tab:TAB,jobs:jobs2,others:holds?neighbours.
followed():void 0,ahead:Object.fromEntries(asked.flatMap(job=>job.status.place?[[job.id,job.status.place]]:[])),hidden:this.
hidden||void 0,pace:!holds||!this.connected||void 0,stream:stream||void 0}),timer=setTimeout(()=>{stream&&(this.noStreams=
Date.now()+this.streamPause,this.streamPause*=2),request.abort()},stream?STREAM_FIRST:ANSWER_MAX);this.budget.begin();let after=0,
fault=null;try{let response=await post("_dash-long-callback/updates",body,{signal:request.signal});if(response.status===
404){let answer=await response.json().catch(()=>({}));if(answer.error!=="JobNotFound")throw new RequestError("status 404");
asked.filter(job=>this.jobs.get(job.id)===job).forEach(job=>missed(job,answer.owner))}else{let found=await errorOf(response);
if(found)throw found;response.body&&(response.headers.get("Content-Type")||"").startsWith("text/event-stream")?after=await this.
read(response.body,request,()=>{clearTimeout(timer),this.streamPause=STREAM_PAUSE}):after=this.take([await response.json()],
request)}this.succeed()}catch(error){fault=faultOf(error)}clearTimeout(timer),this.request===request&&(this.request=null,
fault?this.fail(fault):this.schedule(after*1e3),this.hinted&&!fault&&this.hint(),after&&holds&&neighbours.tell(this.seen()))},
take(answers,request){if(this.request!==request)return 0;let found=new Map,owner,passed=!1;for(let answer of answers){answer.
moved&&(neighbours.pass(answer.moved),passed=!0),this.least=Date.now()+(answer.least||0)*1e3,owner="owner"in answer?answer.
owner:owner;for(let[id,news]of Object.entries(answer.jobs)){let before=found.get(id);found.set(id,before&&news?merged(before,
news):news)}}for(let[id,news]of found){let job=this.jobs.get(id);job&&attempt(job.name,()=>news?job.receive(news):missed(
job,owner))}let after=answers.length?answers[answers.length-1].after:0;return passed&&!found.size?Math.max(after,PASSED):
after},async read(body,request,flows){let after=0;for await(let answers of eventsOf(body,()=>request.abort())){if(flows(),
this.request!==request)return 0;this.succeed(),this.budget.begin(),after=answers.length?this.take(answers,request):after}
return after},succeed(){this.budget.succeed(),this.connect(!0)},connect(connected){this.connected=connected,this.jobs.forEach(
job=>job.status.connect(connected))},fail(fault){let pause2=this.budget.fail(fault);if(pause2!==null){this.connect(!this.
budget.lasts),this.schedule(pause2);return}let message=this.budget.message("The server can't be reached. If the job stil\
l runs, reload the page to find it again",fault);this.budget.succeed();let failure={kind:fault.session?"session":"unreac\
hable",reload:!0};Array.from(this.jobs.values()).forEach(job=>job.fail(failure,message,!0))}};holder.lost=()=>poller.schedule(
0);function missed(job,owner){let other=owner!==void 0&&job.pending.owner&&job.pending.owner!==owner,message=other?"Sess\
ionExpired: you are not logged in any more, or as another user. Log in again and reload the page":"JobNotFound: no such \
job: it never existed or has expired; run the callback again",failure={kind:other?"session":"gone",reload:!!other},result=job.
found&&!job.seq?{}:{error:devToolsError(message)};job.settle(result,failure,!!(other&&owner===null))}function hasEnded({state}){return state==="succeeded"||state==="failed"||state==="cancelled"}function later(status,seconds){
let left=value=>value===null?null:Math.max(0,value-seconds),{state,elapsed,wait,remaining,retry_in}=status;return{...status,
elapsed:elapsed!==null&&(state==="running"||state==="cancelling")?elapsed+seconds:elapsed,wait:left(wait),remaining:left(
remaining),retry_in:left(retry_in)}}var TICK=1e3,NOTHING={fraction:null,remaining:null,text:null,done:null,total:null,rate:null},runs=0,JobStatus=class{constructor(job){
this.job=job,this.now={state:"queued",ahead:null,wait:null,elapsed:null,attempt:1,retry_in:null,connected:!0,error:null,
...NOTHING},this.at=0,this.told=!1,this.timer=void 0,this.run=runs+=1}get ended(){return hasEnded(this.now)}get place(){
let{ahead,wait}=this.now;return ahead===null?null:[ahead,wait!==null]}begin(){this.tell({})}receive(news){if(news.ended||
this.ended)return;let attempt2=news.attempt||1,changes={attempt:attempt2,...attempt2>this.now.attempt?NOTHING:{}},state=this.
now.state==="cancelling"?{}:{state:stateOf(news)},waits=news.state==="queued";this.tell({...changes,...state,ahead:waits?
news.ahead??this.now.ahead:null,wait:waits?news.ahead===void 0?this.now.wait:news.wait??null:null,elapsed:news.elapsed??
(waits?null:this.now.elapsed??0),retry_in:news.retry??null})}track(tracked){this.tell({...NOTHING,...tracked})}connect(connected){
this.told&&!this.ended&&connected!==this.now.connected&&this.tell({connected})}cancelling(){this.told&&!this.ended&&this.
tell({state:"cancelling"})}end(state,error=null){(this.told||error)&&this.tell({state,error,ahead:null,wait:null,retry_in:null,
remaining:null,connected:!0}),this.close()}replaced(){this.close(),emit("status",this.job.name,this.job.outputs,{run:this.
run,status:null})}close(){clearInterval(this.timer),this.timer=void 0}tell(changes){this.pass();let next={...this.now,...changes},
same2=this.told&&agree(this.now,next);this.now=next,same2||(this.told=!0,this.say(),this.set())}say(){let{job,now}=this,
stops2=job.config.cancelable&&!this.ended&&now.state!=="cancelling";emit("status",job.name,job.outputs,{run:this.run,status:now,
indicator:job.config.indicator&&job.config.indicator.flatMap(target=>componentsOf(job.pending,target)),here:job.isHere(),
cancelable:job.config.cancelable,stop:stops2?()=>job.cancel():null,again:now.state==="failed"&&!now.error?.reload?job.again:
null})}pass(){let at2=Date.now(),passed=this.at?Math.max(0,at2-this.at)/1e3:0;this.at=at2,this.now=later(this.now,passed)}set(){
let{job,now}=this,target=job.config.status;target&&(componentsOf(job.pending,target).forEach(id=>job.updates.set(id,target.
property,rounded(now))),!this.timer&&!this.ended&&(this.timer=setInterval(()=>{this.pass(),this.set()},TICK)))}};function stateOf(news){
return news.state==="queued"?news.retry===void 0?"queued":"retrying":"running"}var SECONDS=["elapsed","wait","remaining",
"retry_in"];function agree(one,other){return SECONDS.every(name=>{let[first,second]=[one[name],other[name]];return first===
null||second===null?first===second:Math.abs(first-second)<1})&&sameJson({...one,...pick2(other,value=>value)},other)}function pick2(status,change){
return Object.fromEntries(SECONDS.map(name=>[name,status[name]===null?null:change(status[name]??0)]))}function rounded(status){
return{...status,...pick2(status,value=>Math.round(value*10)/10)}}var PLACES=4,ASKED_MAX=2e4;async function submit(job,now=!1){if(job.begun=!0,job.status.begin(),emit("started",job.name,
job.outputs),job.pending.declared!==job.config.declared){job.fail({kind:"changed"});return}let body=job.pending.payload||
"",budget=new RetryBudget;for(;;){budget.begin();try{let answer=await ask(job,body,now);job.status.connect(!0),answer&&attempt(
job.name,()=>accept(job,answer));return}catch(error){now=!1;let fault=faultOf(error),pause2=budget.fail(fault);if(job.status.
connect(!budget.lasts),job.cancelled||job.settled){job.settle({}),cancelJob(job.id);return}if(pause2===null){job.pending.
payload=void 0,job.pending.doubtful=!0,memory.keep(job.pending);let failure=fault.session?{kind:"session",reload:!0}:{kind:"\
unreachable"};job.fail(failure,budget.message("The server can't be reached",fault),!fault.final);return}await budget.wait(
pause2)}}}async function ask(job,body,now){let headers={"X-Long-Callback-Job":job.id,"X-Long-Callback-Declared":job.pending.
declared||""};!now&&job.pending.owner&&(headers["X-Long-Callback-Owner"]=job.pending.owner),poller.submitting+=1;let response=await post(
"_dash-update-component",body,{headers}).finally(()=>poller.submitting-=1);if(response.status===204)return job.settle({}),
null;let fault=await errorOf(response.ok?response:response.clone());if(fault&&(response.status===500||fault.final&&!fault.
session))return await isChanged(job.name)?job.fail({kind:"changed",reload:!0}):job.fail({kind:"failed"},await response.text()),
null;if(fault)throw fault;let answer=await response.json();if(has(answer,"response"))return job.fail({kind:"changed",reload:!0}),
null;if(!has(answer,"news"))throw new RequestError("the answer is not from the app");return answer}async function isChanged(name){
let find=declarations=>{let{inputs=0,state=0}=declarations.find(one=>one.output===name)||{};return JSON.stringify([inputs,
state])};try{let response=await fetch(prefix()+"_dash-dependencies",{credentials:"same-origin",...dashConfig().fetch});return response.
ok&&find(await response.json())!==find(renderer.declarations())}catch{return!1}}function accept(job,answer){job.known=!0,
answer.owner!==void 0&&(job.pending.owner=settings().owner=answer.owner);let payload=job.pending.payload||"";job.pending.
asked=job.config.indicator&&payload.length<=ASKED_MAX?payload:void 0,job.pending.payload=void 0,answer.job!==job.id&&(memory.
drop(job.id),job.id=job.pending.id=answer.job),job.cancelled&&cancelJob(job.id),!answer.news.ended&&!job.settled&&memory.
keep(job.pending),job.receive(answer.news),!job.settled&&!answer.news.ended&&(alive().filter(other=>other!==job&&other.known&&
!other.detached).length>=PLACES&&job.detach(),poller.add(job,answer.after))}async function cancelJob(id){let budget=new RetryBudget;
for(;;){budget.begin();let fault=await post("_dash-long-callback/cancel",JSON.stringify({jobs:[id]})).then(errorOf,faultOf),
pause2=fault&&budget.fail(fault);if(pause2===null)return;await budget.wait(pause2)}}var TRACKED=-1,Updates=class{constructor(job){this.job=job,this.yielded=new Set,this.reported=new Set}apply(target,value){
if(target===TRACKED){this.job.status.track(value);return}if(typeof target=="number"){let place=this.job.config.progress[target];
isEvents(value)?componentsOf(this.job.pending,place).forEach(id2=>this.job.events.add(id2,place.property,value)):this.job.
signs.setProgress(target,value);return}let[id,property]=[parseId(target[0]),target[1]];isEvents(value)?this.job.events.add(
id,property,value):isOutput(this.job.pending,target[0],property)?(this.yielded.add(target.join(".")),inLine(nameOf(id,property),
()=>renderer.silently(()=>this.set(id,property,value)))):isSentAgain(this.job.pending,id,property,value)||inLine(nameOf(
id,property),()=>this.set(id,property,value))}set(id,property,value){let props=propsOf(id);if(!props){this.job.here&&warnOnce(
id,property);return}for(let one of apart(value))try{setProperty(id,property,patched(one,(propsOf(id)||props)[property]))}catch(error){
this.report(id,property,error)}}report(id,property,error){let name=nameOf(id,property);this.reported.has(name)||(this.reported.
add(name),renderer.complain(`The long callback ${this.job.name} could not set ${name}
${messageOf(error)}`))}};var OUTCOMES_MAX=50,INITIAL_CALL=5e3,Job=class{constructor(pending,config){this.pending=pending,this.id=pending.id,this.
name=pending.name,this.config=config,this.outputs=pending.outputs,this.slot=pending.name+" "+JSON.stringify(pending.matched.
map(stringify)),this.seq=0,this.attempt=1,this.settled=!1,this.cancelled=!1,this.begun=!1,this.known=!1,this.found=!1,this.
detached=!1,this.here=!0,this.outcome=null,this.signs=new Signs(this),this.events=new EventLines(this),this.updates=new Updates(
this),this.stops=new CancelInputs(this),this.status=new JobStatus(this),this.again=null,this.promise=new Promise((resolve,reject)=>{
this.resolve=resolve,this.reject=reject}),this.promise.catch(()=>{})}isHere(){let ids=this.outputs?flat(this.outputs).map(
output=>output.id):this.pending.matched;return!ids.length||ids.some(id=>propsOf(id))}detach(){this.detached||(this.detached=
!0,this.reject(clientside.PreventUpdate),spin(this.slot))}receive(news){if(!(this.settled||this.outcome)&&(this.status.receive(
news),!(news.seq<=this.seq&&!news.ended))){this.seq=news.seq,news.ended||this.signs.show(),(news.attempt||1)>this.attempt&&
(this.attempt=news.attempt||1,this.signs.restart());for(let[target,value]of news.updates||[])attempt(this.name,()=>this.
updates.apply(target,value));news.ended&&(poller.remove(this),this.signs.unseen?afterPaint(()=>this.finish(news)):this.finish(
news))}}finish(news){this.events.whenDone(async()=>{try{await this.conclude(news)}catch(error){this.fail({kind:"failed"},
`Long callback ${this.name}: ${messageOf(error)}`)}})}async conclude(news){if(news.response&&!this.isHere()&&!this.cancelled&&
!this.settled)this.outcome=news,this.detach(),this.signs.hide(),alive().filter(job=>job.outcome).slice(0,-OUTCOMES_MAX).
forEach(job=>job.settle({}));else if(news.error){let reload=news.error.kind==="session"||news.error.kind==="changed"&&!this.
found;this.fail({...news.error,reload},describe(news.error))}else if(!news.response||this.cancelled)this.settle({});else{
let{response={},dist}=news.response;try{await(dist&&Promise.all(dist.map(load))),this.settle({data:response})}catch{this.
fail({kind:"library",reload:!0},"A component library could not be loaded.")}}}appear(here){let back=here&&!this.here;if(here!==
this.here&&this.status.told&&this.status.say(),this.here=here,!!back)if(this.found=!0,this.outcome){let outcome=this.outcome;
this.outcome=null,this.finish(outcome)}else this.signs.shown&&(this.detach(),spin(this.slot))}fail(failure,text=sentenceOf(
SENTENCES,failure),remember=!1){this.settle({error:devToolsError(failure.html||text,failure.html?"":failure.callback)},failure,
remember)}settle(result,failure,remember=!1){if(checkLayout(),this.settled)return;this.settled=!0,poller.remove(this),leave(
this),attempt(this.name,()=>this.signs.hide());let given=fitting(this,result),said=failure||given.error&&{kind:"failed"};
said&&!this.cancelled&&(given.error||!this.pending.doubtful)?(this.status.end("failed",detailsOf(said)),emitFailed(this.
name,this.outputs,said,!!this.config.status)):(this.status.end(this.cancelled?"cancelled":"succeeded"),result.data&&emit(
"succeeded",this.name,this.outputs)),attempt(this.name,()=>give(this,given)),this.found&&(result.data||given.error)&&(answered.
set(this.slot,this),setTimeout(()=>answered.delete(this.slot),INITIAL_CALL)),remember||setTimeout(()=>memory.drop(this.id));
let others=inSlot(this.slot),next=others.find(job=>!job.begun);next&&!others.some(job=>job.begun)&&(attempt(next.name,()=>next.
signs.show()),submit(next))}cancel(){this.cancelled=!0,this.status.cancelling(),this.outcome||!this.begun?this.settle({}):
this.known&&cancelJob(this.id)}};var SHOW_AFTER=60,QUEUE_MAX=50;function run(name,config){let context=clientside.callback_context,job=new Job(pendingJob(
name,config,context),config);checkLayout();let changed=renderer.isChange(name,context.triggered.map(one=>one.prop_id)),wait=changed?
config.debounce:null;return!changed&&isAskedAlready(job)||!wait&&isIgnored(job)?(letGo(job),job.promise):(context.triggered.
forEach(one=>noteChange(one.prop_id,one.value)),wait?(job.stops.watch(),letGo(job),debounce(job,wait,()=>{isIgnored(job)||
(start(job),spin(job.slot))})):start(job),job.promise)}function start(job,now=!0){let{config}=job,others=inSlot(job.slot);
enter(job),repeatable(job),job.stops.watch(),config.retrigger==="replace"?others.forEach(other=>replace(other,job)):job.
detach(),config.retrigger==="latest"&&others.filter(other=>!other.begun).forEach(other=>other.cancel()),(!queues(job)||!others.
length)&&(config.cached?setTimeout(()=>job.signs.show(),SHOW_AFTER):job.signs.show(),submit(job,now)),memory.keep(job.pending)}
function repeatable(job){let payload=job.pending.payload||job.pending.asked;if(payload){let pending={...job.pending,payload,
asked:void 0};job.again=()=>again(pending,job.config)}}function again(pending,config){let job=new Job({...pending,id:random(
24),at:Date.now()},config);letGo(job),isIgnored(job)||(start(job,!1),spin(job.slot))}function letGo(job){[...inSlot(job.
slot),job].forEach(one=>one.detach())}function isIgnored(job){let count=inSlot(job.slot).length;return job.config.retrigger===
"queue"&&count>QUEUE_MAX?(console.warn(`Long callback ${job.name}: a trigger is dropped, as ${QUEUE_MAX} wait already`),
!0):job.config.retrigger==="ignore"&&count>0}function isAskedAlready(job){let last=answered.get(job.slot);return answered.
delete(job.slot),[...inSlot(job.slot),...waitingFor(job.slot),...last?[last]:[]].some(other=>!other.cancelled&&other.pending.
values===job.pending.values)}function replace(old,job){if(old.cancel(),!old.settled){old.settled=!0,poller.remove(old),memory.
drop(old.id),leave(old),old.status.replaced();let end=()=>old.reject(clientside.PreventUpdate);job.promise.then(end,end)}
job.signs.shown=job.signs.shown||old.signs.shown,job.signs.reset()}var lost=once(()=>memory.all()),brought=new Map;function onPageChange(){noteStops(),answered.forEach(job=>job.isHere()||
answered.delete(job.slot));let jobs2=alive();for(let job of jobs2)attempt(job.name,()=>job.events.reappear()),attempt(job.
name,()=>{job.signs.renew(isNew),job.appear(job.isHere()),job.stops.watch()});notePlaces(jobs2.flatMap(job=>job.signs.all().
map(([id])=>id))),pickUpThoseHere()}function bring(pending,news){if(checkLayout(),!news){let same2=[...alive().filter(other=>!other.
cancelled).map(other=>other.pending),...lost()].find(other=>other.ref===pending.ref&&other.name===pending.name);if(same2){
same2.id!==pending.id&&cancelJob(pending.id);return}memory.keep(pending)}brought.set(pending,news),lost().push(pending),
pickUpThoseHere()}function pickUpThoseHere(){let found=lost().map(pending=>new Job(pending,settings().callbacks[pending.
name]));for(let job of found.filter(one=>one.isHere()))lost().splice(lost().indexOf(job.pending),1),attempt(job.name,()=>brought.
has(job.pending)?show(job):pickUp(job))}function show(job){let{pending,slot}=job,[news,others]=[brought.get(pending),inSlot(
slot)];brought.delete(pending),others.forEach(other=>other.detach()),pickUp(job,news),job.config.retrigger==="replace"&&
others.forEach(other=>replace(other,job)),news?job.receive(news):memory.keep(pending)}function everyOf({running,progress,
indicator,status}){let every=[];for(let{all,id}of[...running,...progress,...indicator||[],...status?[status]:[]])all!==void 0&&
(every[all]=renderer.ids(id));return every}function pickUp(job,news){let waits=queues(job)&&inSlot(job.slot).length;if(job.
found=job.detached=!0,job.pending.declared!==job.config.declared&&(job.config={...job.config,progress:[]}),job.pending.ref&&
(job.pending.every=everyOf(job.config)),enter(job),repeatable(job),job.stops.watch(),!(waits&&job.pending.payload)){if(news){
job.begun=job.known=!0;return}job.pending.doubtful||(job.signs.show(),spin(job.slot),job.status.begin()),job.pending.payload?
submit(job):(job.begun=job.known=!0,poller.add(job,0))}}var CHANNEL="_dash-long-callback-attached",MESSAGE="told-",seen=null,read=new Set;function take(told){let outputs=told.outputs||
void 0;if(!settings().callbacks[told.name]){emitFailed(told.name,outputs,{kind:"changed",reload:!0});return}settings().owner=
told.owner;let{name,id,ref,matched,owner,declared}=told;bring({id,name,ref,outputs,matched,owner,declared,every:[],values:"",
at:Date.now()},told.news===void 0?null:JSON.parse(told.news))}function look(){if(renderer.ready()){seen=propsOf(CHANNEL);
for(let[key,told]of Object.entries(seen||{}))key.startsWith(MESSAGE)&&!read.has(key)&&has(told,"id")&&(read.add(key),take(
told),clientside.set_props(CHANNEL,{[key]:null}))}}function watchAttached(){watchStore(()=>propsOf(CHANNEL)!==seen,look)}var IN_TURN=100;neighbours.asked=()=>poller.holds||neighbours.tell(poller.seen());neighbours.left=()=>poller.hint(Math.random()*
IN_TURN);neighbours.joined=()=>poller.budget.failures||poller.schedule(GATHER);neighbours.moved=moved=>{let isNews=([id,
[seq,ended]])=>(ended||!poller.hidden)&&seq>(poller.jobs.get(id)?.seq??1/0);Object.entries(moved).some(isNews)&&poller.hint()};var HIDDEN_AFTER=2e3;function progressDefault(value){return mapDependencies(clientside.callback_context.outputs_list,({id,
property})=>inProgress(id,bare(property))?clientside.no_update:value)}var hiding;document.addEventListener("visibilitych\
ange",()=>{clearTimeout(hiding),document.hidden?hiding=setTimeout(()=>{poller.hidden=!0,poller.schedule(0)},HIDDEN_AFTER):
poller.hidden&&(poller.hidden=!1,poller.schedule(0))});window.addEventListener("online",()=>{poller.budget.renew(),poller.
schedule(0)});window.addEventListener("pageshow",event=>event.persisted&&poller.schedule(0));window.addEventListener("pa\
gehide",()=>{dropAll();let jobs2=alive().filter(job=>job.config.leave&&job.known).map(job=>job.id);jobs2.length&&post("_\
dash-long-callback/leave",JSON.stringify({jobs:jobs2}),{keepalive:!0}).catch(()=>{}),poller.pause()});watchLayout(onPageChange);
watchAttached();clientside.long_callback=new Proxy({},{get(_,name){let key=String(name),config=settings().callbacks[key];
if(config)return()=>run(key,config);if(key==="cancel")return cancel;if(key.startsWith("default ")){let value=JSON.parse(
key.slice(8));return()=>progressDefault(value)}return()=>{let{outputs_list}=clientside.callback_context,failure={kind:"c\
hanged",reload:!0};return emitFailed(key,outputs_list,failure),Promise.reject(devToolsError(sentenceOf(SENTENCES,failure)))}}});})();
