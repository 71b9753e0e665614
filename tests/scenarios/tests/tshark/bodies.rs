//! The bodies of the MGS's requests and replies, as tshark names their fields.
use crate::logs;
use crate::ours::{Values, low};
use wire::ldlm::{LdlmReply, LdlmRequest, LockDesc};
use wire::llog_rpc::LlogdBody;
use wire::mgs::TargetInfo;
use wire::ptlrpc::ConnectData;
use wire::rpc::{Reply, Request};

pub(crate) fn request(out: &mut Values, content: &Request) {
    match content {
        Request::Connect(connect) => {
            out.text("lustre.obd_uuid", &connect.target);
            out.text("lustre.obd_uuid", &connect.client_uuid);
            out.cookie(connect.callback_cookie);
            connect_data(out, &connect.data);
        }
        Request::TargetReg { info, .. } => target_info(out, info),
        Request::ConfigRead(body) => {
            out.text("lustre.mgs_config_body.name", &body.name);
            out.text("lustre.mgs_config_body.offset", body.offset);
            out.text("lustre.mgs_config_body.type", body.config_type);
            out.text("lustre.mgs_config_body.nm_cur_pass", body.nid_size_or_pass);
            out.hex8("lustre.mgs_config_body.bits", body.bits);
            // Its name for the units, too.
            out.text("lustre.mgs_config_body.type", body.units);
        }
        Request::LlogOpen { body, name, .. } => {
            llogd_body(out, body);
            out.text("lustre.name", name);
        }
        Request::LlogRead(body) => llogd_body(out, body),
        Request::Enqueue(lock)
        | Request::Cancel(lock)
        | Request::Blocking(lock)
        | Request::Completion(lock, _) => {
            ldlm_request(out, lock);
        }
        Request::Glimpse(lock, barrier) => {
            ldlm_request(out, lock);
            let barrier = barrier.as_ref().unwrap();
            out.hex32("lustre.ldlm_gl_barrier_desc.status", barrier.status);
            out.text("lustre.ldlm_gl_barrier_desc.timeout", barrier.timeout);
        }
        Request::Empty | Request::SetInfo(_) => {}
        Request::Other(_) => panic!("an untyped request to the MGS"),
    }
}

pub(crate) fn reply(out: &mut Values, content: &Reply) {
    match content {
        Reply::Connect(data) => connect_data(out, data),
        Reply::TargetReg(info) => target_info(out, info),
        Reply::ConfigRead(result) => {
            out.text("lustre.mgs_config_res.offset", result.offset);
            out.text(SIZE, result.size_or_pass);
        }
        Reply::LlogOpen(body) => llogd_body(out, body),
        Reply::LlogHeader(bytes) => logs::header(out, bytes),
        Reply::LlogBlock(body, chunk) => {
            llogd_body(out, body);
            logs::records(out, chunk);
        }
        Reply::Enqueue(granted, _) => ldlm_reply(out, granted),
        Reply::Glimpse(lvb) => {
            out.hex32("lustre.barrier_lvb.status", lvb.status);
            out.text("lustre.barrier_lvb.index", lvb.index);
        }
        Reply::Empty => {}
        Reply::Other(_) => panic!("an untyped reply of the MGS"),
    }
}

/// tshark shows it under one of two names, by the type of what was read: see [`NM_CUR_PASS`].
pub(crate) const SIZE: &str = "lustre.mgs_config_res.size";
pub(crate) const NM_CUR_PASS: &str = "lustre.mgs_config_res.nm_cur_pass";

fn connect_data(out: &mut Values, data: &ConnectData) {
    out.hex64("lustre.obd_connect_data.ocd_connect_flags", data.flags);
    out.text("lustre.obd_connect_data.ocd_version", data.version);
    out.text("lustre.obd_connect_data.ocd_grant", data.grant);
    out.text("lustre.obd_connect_data.ocd_index", data.index);
    out.text("lustre.obd_connect_data.ocd_brw_size", data.brw_size);
    out.text("lustre.obd_connect_data.ocd_ibits_known", data.ibits_known);
    out.text("lustre.obd_connect_data.grant_blkbits", data.grant_blkbits);
    out.text("lustre.obd_connect_data.grant_inobits", data.grant_inobits);
    out.text("lustre.obd_connect_data.grant_tax_kb", data.grant_tax_kb);
    out.text("lustre.obd_connect_data.grant_max_blks", data.grant_max_blks);
    out.text("lustre.obd_connect_data.ocd_transno", data.transno);
    out.text("lustre.obd_connect_data.ocd_group", data.group);
    out.hex32("lustre.obd_connect_data.ocd_cksum_types", data.cksum_types);
    out.text("lustre.obd_connect_data.ocd_max_easize", data.max_easize);
    out.text("lustre.obd_connect_data.ocd_instance", data.instance);
    out.text("lustre.obd_connect_data.ocd_maxbytes", data.maxbytes);
    out.text("lustre.obd_connect_data.ocd_maxmodrpcs", data.maxmodrpcs);
    out.hex64("lustre.obd_connect_data.ocd_connect_flags2", data.flags2);
}

fn target_info(out: &mut Values, info: &TargetInfo) {
    out.text("lustre.mgs_target_info.mti_lustre_ver", info.lustre_ver);
    out.text("lustre.mgs_target_info.mti_stripe_index", info.stripe_index);
    out.text("lustre.mgs_target_info.mti_config_ver", info.config_ver);
    out.hex32("lustre.mgs_target_info.mti_flags", info.flags);
    out.text("lustre.mgs_target_info.mti_nid_count", info.nid_count);
    out.hex32("lustre.mgs_target_info.mti_instance", info.instance);
    out.text("lustre.mgs_target_info.mti_fsname", &info.fsname);
    out.text("lustre.mgs_target_info.mti_svname", &info.svname);
    out.text("lustre.mgs_target_info.mti_uuid", &info.uuid);
    info.nids.iter().take(usize::try_from(info.nid_count).unwrap()).for_each(|nid| out.nid(*nid));
    out.text("lustre.mgs_target_info.mti_params", &info.params);
}

fn llogd_body(out: &mut Values, body: &LlogdBody) {
    let id = body.logid;
    // A union: tshark shows the same bytes as object id and as FID.
    out.text("lustre.ost_io.id", id.oid);
    out.text("lustre.ost_oi.seq", id.seq);
    out.hex64("lustre.lu_fid.f_seq", id.oid);
    out.hex32("lustre.ll_fid.f_oid", low(id.seq));
    out.hex32("lustre.ll_fid.f_ver", low(id.seq >> 32));
    out.text("lustre.llog_logid.lgl_ogen", id.ogen);
    out.text("lustre.llogd_body.lgd_ctxt_idx", body.ctxt_idx);
    out.hex32("lustre.llogd_body.lgd_llh_flags", body.llh_flags);
    logs::flags(out, body.llh_flags);
    out.text("lustre.llogd_body.lgd_index", body.index);
    out.text("lustre.llogd_body.lgd_saved_index", body.saved_index);
    out.text("lustre.llogd_body.lgd_len", body.len);
    out.text("lustre.llogd_body.lgd_cur_offset", body.cur_offset);
}

fn ldlm_request(out: &mut Values, lock: &LdlmRequest) {
    out.hex32("lustre.ldlm_request.lock_flags", lock.flags);
    out.hex32("lustre.ldlm_request.lock_count", lock.count);
    lock_desc(out, &lock.desc);
    lock.handles.iter().for_each(|handle| out.cookie(*handle));
}

fn ldlm_reply(out: &mut Values, lock: &LdlmReply) {
    out.hex32("lustre.ldlm_reply.lock_flags", lock.flags);
    lock_desc(out, &lock.desc);
    out.cookie(lock.handle);
    out.text("lustre.ldlm_reply.lock_policy_res1", lock.policy_res1);
    out.text("lustre.ldlm_reply.lock_policy_res2", lock.policy_res2);
}

fn lock_desc(out: &mut Values, desc: &LockDesc) {
    out.text("lustre.ldlm_resource_desc.lr_type", desc.lock_type);
    out.text("lustre.ldlm_lock_desc.l_req_mode", desc.req_mode);
    out.text("lustre.ldlm_lock_desc.l_granted_mode", desc.granted_mode);
    let name = desc.resource.0;
    if desc.lock_type == 0 {
        // A cancel names no resource; then tshark shows bare numbers.
        name.iter().for_each(|word| out.text("lustre.ldlm_res_id.name", word));
        return;
    }
    let string = |word: u64| {
        let bytes = word.to_le_bytes();
        String::from_utf8_lossy(bytes.split(|b| *b == 0).next().unwrap()).into_owned()
    };
    out.text("lustre.ldlm_res_id.string", string(name[0]));
    out.hex32("lustre.ldlm_res_id.type", low(name[1]));
    out.text("lustre.ldlm_res_id.string", string(name[2]));
    out.text("lustre.ldlm_res_id.string", string(name[3]));
    // It shows the policy of every lock as that of a flock.
    let [start, end, owner, pid] = desc.policy;
    out.text("lustre.ldlm_flock.start", start);
    out.text("lustre.ldlm_flock.end", end);
    out.text("lustre.ldlm_flock.owner", owner);
    out.text("lustre.ldlm_flock.pid", low(pid >> 32));
}
